"""What goes on beside a worker goes on when it has failed once, and ends when it is told to."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy.exc import OperationalError

from instar.control.main import Regularly
from instar.wire.errors import ProviderError


@pytest.mark.parametrize(
    "error", [ProviderError("no"), OperationalError("select", {}, Exception("away"))], ids=["ours", "store"]
)
def test_a_failure_is_no_end(error: Exception) -> None:
    twice = threading.Event()
    tries: list[int] = []

    def act() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise error
        twice.set()

    attendant = Regularly("looker", act, 0.001)
    attendant.start()
    assert twice.wait(30)
    attendant.stop()


def test_it_is_asked_at_once_and_ends_without_waiting_for_the_next_time() -> None:
    asked = threading.Event()
    act: Callable[[], None] = asked.set
    attendant = Regularly("looker", act, 3600)
    attendant.start()
    assert asked.wait(30)
    attendant.stop()
