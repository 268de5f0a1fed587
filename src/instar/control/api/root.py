"""The superuser's way in over the network; a worker asks the guest."""

import secrets

from instar.control.api.call import Call
from instar.control.api.databases import ask
from instar.wire import rest
from instar.wire.agent import UserSpec


def show(call: Call) -> rest.RootAnswer:
    """Tell whether the superuser may log in over the network."""
    return rest.RootAnswer(rootEnabled=ask(call, "root_enabled")["enabled"])


def enable(call: Call, body: rest.EnableRootRequest) -> rest.UserAnswer:
    """Let the superuser in with the password given, or a fresh one; only this answer tells it."""
    password = body.password or secrets.token_urlsafe(24)
    user = UserSpec.model_validate(ask(call, "enable_root", secrets={"password": password}))
    return rest.UserAnswer(user=rest.User(name=user.name, password=password))


def disable(call: Call) -> None:
    """Shut the superuser out."""
    ask(call, "disable_root")
