"""An id, a name or an object: what each manager's arguments may be."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

from instar.client.errors import Ambiguous, NotFound


class Named(Protocol):
    """Something with an id and a name."""

    id: str
    name: str


Thing = TypeVar("Thing", bound=Named)


def only(kind: str, name: str, candidates: Iterable[Thing]) -> Thing:
    """Give the one candidate called `name`. Raises NotFound, or Ambiguous with the ids of all."""
    found = [one for one in candidates if one.name == name]
    if not found:
        raise NotFound(f"There is no {kind} {name!r} that this project may see")
    if len(found) > 1:
        known = ", ".join(sorted(one.id for one in found))
        raise Ambiguous(f"{len(found)} {kind}s are called {name!r}", seen=known, remedy="Give an id.")
    return found[0]
