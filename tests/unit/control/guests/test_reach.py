"""A look from outside: how long it takes is bounded, whatever answers."""

import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from instar.control.guests.reach import reachable

FULL = b"E" + struct.pack("!i", 104) + b"C53300\0" + b"M" * 92 + b"\0"
"""The answer of a PostgreSQL that is open, and full."""


@pytest.fixture
def dripping() -> Iterator[int]:
    """The port of a server that answers one byte at a time."""
    over = threading.Event()

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            for byte in FULL:
                if over.wait(0.02):
                    return
                try:
                    connection.sendall(bytes([byte]))
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield listener.getsockname()[1]
        over.set()
        thread.join()


def test_a_server_that_answers_bit_by_bit_keeps_nobody_waiting_beyond_the_timeout(dripping: int) -> None:
    assert not reachable("postgresql", "127.0.0.1", dripping, 0.5)


def test_a_server_that_answers_slowly_but_in_time_is_heard_out(dripping: int) -> None:
    assert reachable("postgresql", "127.0.0.1", dripping, 60)
