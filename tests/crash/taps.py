"""Counts every call that leaves a worker, and has a fault strike at one of them.

A *point* is (step, the nth outward call of that name in the step, before or after it). Which points there are
is found by a dry run, so that they grow with the stories.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from instar.control.engine.runner import Work
from instar.control.engine.worker import Worker
from instar.control.guests.base import Guests
from instar.control.store.session import Store
from instar.wire.errors import GuestError, GuestUnreachable, ProviderError

T = TypeVar("T")
ENTRY = "entry"


class Killed(BaseException):
    """The worker is no more: nothing of it runs from here on, not even what tidies up."""


@dataclass(frozen=True)
class Point:
    """A moment in a step: before or after (`when`) a call to a `room`: provider, guest or store."""

    step: str
    room: str
    call: str
    nth: int
    when: str

    def __str__(self) -> str:
        return f"{self.step}-{self.room}.{self.call}.{self.nth}-{self.when}"


@dataclass
class Tap:
    """Notes the points that a worker passes; at the one it is `armed` for, `strike` is called, once."""

    armed: Point | None = None
    strike: Callable[[], None] = lambda: None
    entered: Callable[[str], object] = lambda step: None
    passed: list[Point] = field(default_factory=list)
    step: str = "claim"
    _counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def enter(self, work: Work) -> None:
        """Note that a step begins, or begins again."""
        if work.step != self.step:
            self.entered(work.step)
        self.step = work.step
        self.note("worker", ENTRY, "before")

    def around(self, room: str, call: str, act: Callable[[], T]) -> T:
        """Make a call, with the moments before and after it as points."""
        with self.within(room, call):
            return act()

    @contextmanager
    def within(self, room: str, call: str) -> Iterator[None]:
        """Have what is done meanwhile count as one call."""
        step, nth = self.step, self.note(room, call, "before")
        yield
        self._pass(Point(step, room, call, nth, "after"))

    def note(self, room: str, call: str, when: str) -> int:
        """Note a moment; gives how many of its name there were in the step."""
        name = (self.step, room, call)
        self._counts[name] += 1
        self._pass(Point(*name, self._counts[name], when))
        return self._counts[name]

    def _pass(self, point: Point) -> None:
        self.passed.append(point)
        if point == self.armed:
            self.armed = None
            self.strike()


class Tapped:
    """Stands before a provider or a guest; every method called on it counts."""

    def __init__(self, inner: Any, room: str, tap: Tap) -> None:
        self._inner, self._room, self._tap = inner, room, tap

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return found
        return lambda *args, **named: self._tap.around(self._room, name, lambda: found(*args, **named))


class TappedGuests:
    """Stands before all guests."""

    def __init__(self, inner: Guests, tap: Tap) -> None:
        self.files, self._inner, self._tap = inner.files, inner, tap

    def at(self, instance_id: str, address: str) -> Any:
        """Give the channel to one guest, tapped."""
        return Tapped(self._inner.at(instance_id, address), "guest", self._tap)


class TappedStore(Store):
    """A record store whose transactions count: `before` is before the commit."""

    tap: Tap

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """A transaction that may write."""
        with self._counted("write"), super().begin() as session:
            yield session
            self.tap.note("store", "commit", "before")

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that only reads."""
        with self._counted("read"), super().read() as session:
            yield session

    @contextmanager
    def look(self) -> Iterator[Connection]:
        """A bare connection that only reads."""
        with self._counted("read"), super().look() as connection:
            yield connection

    @contextmanager
    def _counted(self, call: str) -> Iterator[None]:
        with self.tap.within("store", call):
            yield


def tap_steps(worker: Worker, tap: Tap) -> None:
    """Have a worker tell of each step that it begins."""
    make = worker.runner.make_context

    def told(work: Work) -> Any:
        tap.enter(work)
        return make(work)

    worker.runner.make_context = told


def passing_error(room: str) -> Exception:
    """The error of a call that may be made again: for this once no answer came."""
    match room:
        case "provider":
            return ProviderError("The provider does not answer", seen="timed out", retryable=True)
        case "guest":
            return GuestUnreachable("The agent does not answer", seen="timed out", retryable=True)
    return OperationalError("the record store went away", {}, ConnectionError("connection lost"))


def refusal(room: str) -> Exception:
    """The error of a call that was refused for good."""
    if room == "provider":
        return ProviderError("The provider refuses", seen="quota exceeded")
    return GuestError("The guest refuses", seen="no such file or directory")
