"""The reference of a datastore's hooks: how the guest API reaches each, and with which parameters."""

import inspect
from typing import Any

import rst

from instar.agent import hooks
from instar.agent.datastores.base import Datastore

_HEAD = """\
A datastore is a class of the agent, found by an entry point of the group ``instar.datastores``; it derives
from ``instar.agent.datastores.base.Datastore`` and overrides the hooks that it has. Those that it lacks
refuse with ``not_supported``. *Jobs* run under a name and may take long, one at a time; *calls* end within
seconds; what is neither belongs to the agent's own life and can't be reached from outside.
"""


def make() -> str:
    """Make the page's text."""
    found = inspect.getmembers(Datastore, inspect.isfunction)
    named = [(name, function) for name, function in found if not name.startswith("_")]
    named.sort(key=lambda pair: pair[1].__code__.co_firstlineno)
    return "\n".join([rst.heading("Hooks of a datastore"), _HEAD, *(_hook(*pair) for pair in named)])


def _hook(name: str, function: Any) -> str:
    signature = inspect.signature(function)
    told = [rst.heading(name, "-"), rst.prose(inspect.getdoc(function) or "") + "\n"]
    facts = [f":Reached as: {_reach(name)}"]
    given = [f"``{one}``" for one in signature.parameters if one not in ("self", "report")]
    facts += [f":Parameters: {', '.join(given)}"] if given else []
    return "\n".join([*told, *facts, ""])


def _reach(name: str) -> str:
    if name in hooks.JOBS:
        return f"job: ``PUT /jobs/{{id}}`` with ``hook`` = ``{name}``"
    if name in hooks.CALLS:
        return f"call: ``POST /calls/{name}``"
    return "the agent alone"
