"""Whether a database lets clients in, asked as a client does: over the network, without an account.

Asking is cheap for both sides. PostgreSQL logs a line for who was refused, and none for who was asked for a
password and went away.
"""

import socket
import struct
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

    Every wait of it is at most `timeout` seconds. Raises nothing: whatever goes wrong keeps a client out.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect((address, port))
            return _ASK.get(manager, _connects)(connection)
    except OSError:
        return False


def _connects(connection: socket.socket) -> bool:
    """All that can be said of a database whose protocol is not known here."""
    return True


def _postgresql(connection: socket.socket) -> bool:
    """Introduce oneself as somebody who does not exist: an open server asks for the password all the same."""
    connection.sendall(_STARTUP)
    kind, length = struct.unpack("!ci", _read(connection, 5))
    if kind != b"E":
        return bool(kind == b"R")
    fields = _read(connection, min(length - 4, _LONGEST_ERROR)).split(b"\0")
    return any(field[:1] == b"C" and field[1:] in _OPEN_ALL_THE_SAME for field in fields)


def _mysql(connection: socket.socket) -> bool:
    """Wait for the greeting, which is an error when the server lets nobody in.

    Going away after it counts towards the server's `max_connect_errors`.
    """
    header = _read(connection, 5)
    if header[4] != 0xFF:
        return True
    return bool(struct.unpack("<H", _read(connection, 2))[0] == _FULL)


def _read(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        part = connection.recv(length - len(data))
        if not part:
            raise ConnectionResetError("the server hung up")
        data += part
    return data


_ASK: dict[str, Callable[[socket.socket], bool]] = {
    "postgresql": _postgresql,
    "mariadb": _mysql,
    "mysql": _mysql,
}
