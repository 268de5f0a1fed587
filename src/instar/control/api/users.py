"""The users of an instance's database and what they may use; a worker asks the guest."""

from instar.control.api import paging
from instar.control.api.call import Call
from instar.control.api.databases import ask
from instar.wire import rest
from instar.wire.agent import UserSpec
from instar.wire.errors import NotFound

ANY_HOST = "%"


def index(call: Call) -> rest.UsersAnswer:
    """List the users with the databases each may use."""
    found = paging.behind(call, _all(call), _marker)
    shown, links = paging.cut(call, f"instances/{call.path['instance_id']}/users", found, _marker)
    return paging.linked(rest.UsersAnswer(users=[_view(user) for user in shown]), links)


def create(call: Call, body: rest.CreateUsersRequest) -> None:
    """Make users."""
    ask(call, "create_users", secrets={"users": [_spec(user).model_dump() for user in body.users]})


def change_passwords(call: Call, body: rest.ChangePasswordsRequest) -> None:
    """Set the passwords of users."""
    for user in body.users:
        host = user.host or ANY_HOST
        _change(call, user.name, host, UserSpec(name=user.name, host=host, password=user.password))


def show(call: Call) -> rest.UserAnswer:
    """Show a user."""
    return rest.UserAnswer(user=_view(_find(call)))


def update(call: Call, body: rest.UpdateUserRequest) -> None:
    """Rename a user, or set its password or host."""
    name, host = _user(call)
    change = body.user
    _change(
        call,
        name,
        host,
        UserSpec(name=change.name or name, host=change.host or host, password=change.password),
    )


def delete(call: Call) -> None:
    """Drop a user."""
    name, host = _user(call)
    ask(call, "delete_user", {"name": name, "host": host})


def access(call: Call) -> rest.DatabasesAnswer:
    """List the databases that a user may use."""
    return rest.DatabasesAnswer(databases=[rest.Database(name=name) for name in _find(call).databases])


def grant(call: Call, body: rest.GrantRequest) -> None:
    """Let a user use databases."""
    name, host = _user(call)
    ask(
        call,
        "grant",
        {"name": name, "host": host, "databases": [database.name for database in body.databases]},
    )


def revoke(call: Call) -> None:
    """Take a database from a user."""
    name, host = _user(call)
    ask(call, "revoke", {"name": name, "host": host, "database": call.path["database"]})


def _user(call: Call) -> tuple[str, str]:
    """Split `name@host`; without a host it is any. Servers differ in whether they decode a slash."""
    name, at, host = call.path["user"].replace("%2F", "/").rpartition("@")
    return (name, host) if at and name else (call.path["user"], ANY_HOST)


def _all(call: Call) -> list[UserSpec]:
    users = [UserSpec.model_validate(user) for user in ask(call, "list_users")["users"]]
    return sorted(users, key=_marker)


def _find(call: Call) -> UserSpec:
    for user in _all(call):
        if (user.name, user.host) == _user(call):
            return user
    raise NotFound(f"User '{call.path['user']}' cannot be found on the instance")


def _change(call: Call, name: str, host: str, change: UserSpec) -> None:
    """The password travels sealed, apart from the rest."""
    secrets = {"change": {"password": change.password}} if change.password else None
    plain = change.model_dump(exclude={"password"})
    ask(call, "update_user", {"name": name, "host": host, "change": plain}, secrets)


def _spec(user: rest.NewUser) -> UserSpec:
    return UserSpec(
        name=user.name,
        password=user.password,
        host=user.host or ANY_HOST,
        databases=[database.name for database in user.databases],
    )


def _view(user: UserSpec) -> rest.User:
    databases = [rest.Database(name=name) for name in user.databases]
    return rest.User(name=user.name, host=user.host, databases=databases)


def _marker(user: UserSpec) -> str:
    return f"{user.name}@{user.host}"
