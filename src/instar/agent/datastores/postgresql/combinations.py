"""Values that the server takes each by itself and refuses together, as it does at a start only."""

from collections.abc import Callable

from instar.agent import commands
from instar.wire.errors import GuestError

_WANT_MORE_WAL = {"archive_mode": 15, "max_wal_senders": 15, "summarize_wal": 17}
_RESERVED = {"superuser_reserved_connections": 15, "reserved_connections": 16}
"""Parameter -> the first major version, of those that Instar knows, that has it."""


def refuse(value: Callable[[str], str], major: int) -> None:
    """Raise GuestError, naming the parameters, when a start would fail; `value` gives a parameter's."""
    if value("wal_level") == "minimal":
        for name in _known(_WANT_MORE_WAL, major):
            if (given := value(name)) not in ("off", "0"):
                raise _refused(f"wal_level minimal with {name} {given}", f"Turn {name} off, or wal_level up.")
    connections, reserved = int(value("max_connections")), _known(_RESERVED, major)
    if sum(int(value(name)) for name in reserved) >= connections:
        raise _refused(
            f"max_connections {connections}: {' and '.join(reserved)} take them all",
            f"Raise max_connections, or lower {' or '.join(reserved)}.",
        )


def _known(parameters: dict[str, int], major: int) -> list[str]:
    return [name for name, since in parameters.items() if major >= since]


def _refused(what: str, remedy: str) -> GuestError:
    return GuestError(commands.brief(f"The database refuses {what}"), seen=what, remedy=remedy)
