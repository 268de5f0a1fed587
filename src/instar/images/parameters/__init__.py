"""Which parameters an engine knows: told by the very programs that the image holds, one file per manager."""

from collections.abc import Callable

from instar.images.parameters import mariadb, postgresql
from instar.images.programs import Programs
from instar.wire.agent import Parameter

_READERS: dict[str, Callable[[str, Programs], list[Parameter]]] = {
    "mariadb": mariadb.read,
    "postgresql": postgresql.read,
}


def read(manager: str, engine_version: str, programs: Programs) -> list[Parameter]:
    """Ask the engine of a finished root. Raises BuildError.

    Engines of other managers have no catalogue, and get an empty one.
    """
    return _READERS[manager](engine_version, programs) if manager in _READERS else []
