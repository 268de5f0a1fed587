"""Waiting for what another thread or process brings about: looks often, says what it saw last."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(look: Callable[[], T], timeout: float = 30.0) -> T:
    """Give the first true answer of `look`; fails with the last answer when none came in time."""
    deadline = time.monotonic() + timeout
    while not (answer := look()):
        assert time.monotonic() < deadline, f"nothing came within {timeout} s; last seen: {answer!r}"
        threading.Event().wait(0.005)
    return answer
