"""Whether a database lets clients in, asked as a client does: over the network, without an account.

Asking is cheap for both sides. PostgreSQL logs a line for who was refused, and none for who was asked for a
password and went away.
"""

import socket
import struct
import time
from collections.abc import Callable

_PROTOCOL_3 = 196608
_STRANGER = b"user\0instar_outage_probe\0database\0postgres\0\0"
_STARTUP = struct.pack("!ii", 8 + len(_STRANGER), _PROTOCOL_3) + _STRANGER
_OPEN_ALL_THE_SAME = {b"53300", b"28P01"}
"""SQLSTATE of an open server that is full (too_many_connections), or wants another password."""
_FULL = 1040
_LONGEST_ERROR = 4096


def reachable(manager: str, address: str, port: int, timeout: float) -> bool:
    """Tell whether a client that came now would be let in, or be asked for its password.

    It takes `timeout` seconds at most. Raises nothing: whatever goes wrong keeps a client out.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with _Connection(family, timeout) as connection:
            connection.connect((address, port))
            return _ASK.get(manager, _connects)(connection)
    except OSError:
        return False


class _Connection(socket.socket):
    """A connection on which all waits together take `timeout` seconds at most."""

    def __init__(self, family: int, timeout: float) -> None:
        super().__init__(family, socket.SOCK_STREAM)
        self.settimeout(timeout)
        self._deadline = time.monotonic() + timeout

    def read(self, length: int) -> bytes:
        """Read so many bytes. Raises OSError when they haven't come in time, or never will."""
        data = b""
        while len(data) < length:
            self.settimeout(max(0.0, self._deadline - time.monotonic()))
            part = self.recv(length - len(data))
            if not part:
                raise ConnectionResetError("the server hung up")
            data += part
        return data


def _connects(connection: _Connection) -> bool:
    """All that can be said of a database whose protocol is not known here."""
    return True


def _postgresql(connection: _Connection) -> bool:
    """Introduce oneself as somebody who does not exist: an open server asks for the password all the same."""
    connection.sendall(_STARTUP)
    kind, length = struct.unpack("!ci", connection.read(5))
    if kind != b"E":
        return bool(kind == b"R")
    fields = connection.read(min(length - 4, _LONGEST_ERROR)).split(b"\0")
    return any(field[:1] == b"C" and field[1:] in _OPEN_ALL_THE_SAME for field in fields)


def _mysql(connection: _Connection) -> bool:
    """Wait for the greeting, which is an error when the server lets nobody in.

    Going away after it counts towards the server's `max_connect_errors`.
    """
    header = connection.read(5)
    if header[4] != 0xFF:
        return True
    return bool(struct.unpack("<H", connection.read(2))[0] == _FULL)


_ASK: dict[str, Callable[[_Connection], bool]] = {
    "postgresql": _postgresql,
    "mariadb": _mysql,
    "mysql": _mysql,
}
