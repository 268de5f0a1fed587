"""A control plane without threads: workers are driven by hand, and the clock leaps to when work is due."""

import atexit
import functools
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import taps
from sqlalchemy import ColumnElement, Double, bindparam, select, update
from sqlalchemy.exc import SQLAlchemyError

from instar.control import settings, wiring
from instar.control.engine.worker import Worker
from instar.control.guests.fake import FakeGuests
from instar.control.guests.fake_outages import FakeOutages
from instar.control.operations.desk import Caller, Desk
from instar.control.operations.stories import STORIES
from instar.control.providers.fake import FakeProvider
from instar.control.providers.fake.dials import Dials
from instar.control.store import schema
from instar.control.store.session import Store
from instar.control.store.tables import Instance, Operation
from instar.wire.states import OperationState
from world import machines, serves

CALLER = Caller(project="acme", user="alice", is_admin=True)
_LOCKS = {"lock", "_lock"}
_SHARED = {"_images", "_parameters"}
"""What is in these of a fake's nobody changes."""
ROUNDS = 200
"""Looks for work after which an operation is taken to be stuck."""


@dataclass
class Clock:
    """How far the record store's clock has leapt."""

    leapt: float = 0.0


class LeapingStore(taps.TappedStore):
    """A record store whose clock can be put forward."""

    def __init__(self, like: Store, leaps: Clock, tap: taps.Tap) -> None:
        super().__init__(str(like.url))
        self.engine = like.engine  # which knows the statements already
        self.leaps, self.tap = leaps, tap

    @property
    def clock(self) -> ColumnElement[float]:
        """The store's own clock, and what it has leapt when a statement is run."""
        return super().clock + bindparam(None, callable_=lambda: self.leaps.leapt, type_=Double, unique=True)


@dataclass(frozen=True)
class Kept:
    """A world as it was at one moment."""

    records: sqlite3.Connection
    now: float
    fakes: tuple[dict[str, Any], ...]


@dataclass
class SmallWorld:
    """Fake machines and guests, a record store, and workers that come and go."""

    house: wiring.House
    provider: FakeProvider
    guests: FakeGuests
    outages: FakeOutages
    desk: Desk
    leaps: Clock

    def worker(self, tap: taps.Tap | None = None) -> Worker:
        """Make another worker; every call that it makes goes through the tap."""
        tap = tap or taps.Tap()
        store = LeapingStore(self.house.store, self.leaps, tap)
        provider: Any = taps.Tapped(self.provider, "provider", tap)
        house = replace(self.house, store=store, provider=provider)
        worker = wiring.make_worker(house, taps.TappedGuests(self.guests, tap), self.outages)
        taps.tap_steps(worker, tap)
        return worker

    def drive(self, worker: Worker, until: Callable[[], bool] = lambda: False) -> None:
        """Have a worker do all that is due, putting the clock forward when it would wait.

        As in the real one, an error of the record store ends a turn, and the lease runs out.
        """
        for _ in range(ROUNDS):
            if until() or not self.is_busy():
                return
            try:
                if not self._turn(worker):
                    self._leap(worker)
            except SQLAlchemyError:
                continue
        raise AssertionError(f"stuck: {self.open_operations()}")

    def settle(self) -> None:
        """Do all that is due with a worker that nothing happens to."""
        self.drive(self.worker())

    def is_busy(self) -> bool:
        """Tell whether an operation is open."""
        return bool(self.open_operations())

    def open_operations(self) -> list[tuple[str, str, str]]:
        """Tell of each open operation where it stands and what it waits for."""
        with self.house.store.read() as session:
            query = select(Operation).where(Operation.state == OperationState.OPEN)
            return [(row.kind, row.cursor, row.reason) for row in session.execute(query).scalars()]

    def instance(self, instance_id: str) -> Instance:
        """Read an instance's row."""
        with self.house.store.read() as session:
            return session.get_one(Instance, instance_id)

    def operation(self, operation_id: str) -> Operation:
        """Read an operation's row."""
        with self.house.store.read() as session:
            return session.get_one(Operation, operation_id)

    def keep(self) -> Kept:
        """Keep the world as it is."""
        copy = sqlite3.connect(":memory:")
        with closing(sqlite3.connect(str(self.house.store.url.database))) as records:
            records.backup(copy)
        return Kept(copy, self.now(), tuple(_held(each) for each in self._fakes()))

    def resume(self, kept: Kept) -> None:
        """Be as the world was that was kept, as if its worker had given back what it held."""
        with closing(sqlite3.connect(str(self.house.store.url.database))) as records:
            kept.records.backup(records)
        with self.house.store.begin() as session:
            free = {"owner": None, "lease_until": None}
            session.execute(update(Operation).where(Operation.lease_until.is_not(None)).values(**free))
        self.leaps.leapt += kept.now - self.now()
        for fake, held in zip(self._fakes(), kept.fakes, strict=True):
            vars(fake).update(copy_of(held))

    def now(self) -> float:
        """Tell what time it is for the record store."""
        with self.house.store.read() as session:
            return self.house.store.now(session)

    def _fakes(self) -> tuple[Any, ...]:
        return self.provider, self.guests, self.outages

    def _turn(self, worker: Worker) -> bool:
        """Claim and run what is due; tells whether there was anything."""
        due = worker.leases.due(8, list(STORIES))
        for candidate in due:
            claim = worker.leases.claim(candidate, capped=True)
            if claim is not None:
                worker.runner.run(claim)
        return bool(due)

    def _leap(self, worker: Worker) -> None:
        """Put the clock forward to when something is due, or a lease has run out."""
        pause = worker.leases.next_due(list(STORIES))
        self.leaps.leapt += worker.settings.lease + 0.01 if pause is None else max(pause, 0.0) + 0.001


def _held(fake: Any) -> dict[str, Any]:
    """Copy what a fake holds and that changes."""
    return copy_of({name: it for name, it in vars(fake).items() if name not in _LOCKS and not callable(it)})


def copy_of(held: dict[str, Any]) -> dict[str, Any]:
    """Copy values; errors and images, which nobody changes, stay the same ones."""
    shared = [*_errors(held), *(it for name in _SHARED & {*held} for it in held[name].values())]
    return deepcopy(held, {id(it): it for it in shared})


def _errors(held: Any) -> Iterator[BaseException]:
    if isinstance(held, BaseException):
        yield held
    for inner in held.values() if isinstance(held, dict) else held if isinstance(held, list) else ():
        yield from _errors(inner)
    if isinstance(held, Dials):
        yield from _errors(vars(held))


@contextmanager
def small_world(kept: Kept | None = None) -> Iterator[SmallWorld]:
    """Give a world with images of PostgreSQL 16.9, 17.10, 17.11 and 18.6; or as it was when it was kept.

    There is one in each process, made as new every time.
    """
    world, blank = _world()
    world.resume(kept or blank)
    yield world


@functools.cache
def _world() -> tuple[SmallWorld, Kept]:
    """Make the world of this process, and keep it as it is at first."""
    folder = tempfile.mkdtemp(prefix="instar-small-", dir=_fast_folder())
    atexit.register(shutil.rmtree, folder)
    provider, guests = machines()
    house = wiring.build(settings.load([], {"state_dir": folder, "provider": "fake"}), provider)
    schema.upgrade(house.store)
    wiring.register_images(house)
    wiring.read_catalogues(house)
    leaps = Clock()
    store = LeapingStore(house.store, leaps, taps.Tap())
    house = replace(house, store=store)
    outages = FakeOutages(lambda address: serves(store, guests, address))
    desk = replace(wiring.make_desk(house, lambda: None), answer_timeout=0.0)
    world = SmallWorld(house, provider, guests, outages, desk, leaps)
    return world, world.keep()


def _fast_folder() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
