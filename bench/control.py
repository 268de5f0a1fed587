"""What the control plane adds to an upgrade: CPU, time outside machine and guest, statements on the records.

Door and worker run in this process over the fake provider and fake guests, which take next to no time. CPU is
that of the whole process, the fakes' included and the database server's not. Upgrades are sent at once to as
many instances; then again with finished operations in the store. The PostgreSQL and MariaDB servers are the
tests' own and flush nothing. Prints a table and writes bench/results/control.json.
"""

import argparse
import json
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from falcon import testing
from oslo_config import cfg
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, event, func, insert, select, text

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tests")]

import record_stores  # noqa: E402
from instar.control import settings, wiring  # noqa: E402
from instar.control.guests.fake_outages import FakeOutages  # noqa: E402
from instar.control.store import schema  # noqa: E402
from instar.control.store.session import Store  # noqa: E402
from instar.control.store.tables import Base, Event, Operation, Outage, StepRecord  # noqa: E402
from instar.wire.ids import new_id  # noqa: E402
from world import machines  # noqa: E402

HISTORY = 10_000
TIMES = {1: 40, 8: 8, 32: 4}
"""How often upgrades are sent, by how many are sent at once; a first time is not counted."""
KINDS = ("SELECT", "INSERT", "UPDATE", "DELETE", "COMMIT")
AGO = 86400.0


@dataclass
class Meter:
    """What was counted since the last reset, over all threads."""

    statements: Counter[str] = field(default_factory=Counter)
    elsewhere: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def listen(self, engine: Engine) -> None:
        """Count an engine's statements, each by its verb and its first table."""
        event.listen(engine, "before_cursor_execute", self._statement)
        event.listen(engine, "commit", lambda _: self._count("COMMIT"))

    def timed(self, call: Callable[..., Any], *args: Any, **more: Any) -> Any:
        """Make a call, and add its seconds to those that were spent elsewhere."""
        begun = time.perf_counter()
        try:
            return call(*args, **more)
        finally:
            with self.lock:
                self.elsewhere += time.perf_counter() - begun

    def reset(self) -> None:
        """Begin anew."""
        with self.lock:
            self.statements.clear()
            self.elsewhere = 0.0

    def _statement(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        words = statement.split()
        verb = words[0].upper()
        before = {"SELECT": "FROM", "INSERT": "INTO", "DELETE": "FROM", "UPDATE": "UPDATE"}.get(verb)
        tables = [following for word, following in pairwise(words) if word == before]
        self._count(f"{verb} {tables[0]}" if tables else "SELECT the time" if verb == "SELECT" else verb)

    def _count(self, what: str) -> None:
        with self.lock:
            self.statements[what] += 1


class Elsewhere:
    """Stands before a provider, guests or a guest, and has the meter time every call."""

    def __init__(self, inner: Any, meter: Meter) -> None:
        self._inner = inner
        self._meter = meter

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name == "at":
            return lambda *args: Elsewhere(found(*args), self._meter)
        return (lambda *args, **more: self._meter.timed(found, *args, **more)) if callable(found) else found


@dataclass
class Plane:
    """A control plane at work; `observer` looks at its records on a connection that is not counted."""

    store: Store
    observer: Store
    door: testing.TestClient
    meter: Meter
    instances: list[str] = field(default_factory=list)

    def create(self, number: int) -> None:
        """Create instances."""
        for each in range(number):
            wanted = {"name": f"db-{each}", "flavorRef": "1", "volume": {"size": 1}}
            wanted["datastore"] = {"type": "postgresql", "version": "17.10"}
            made = self.door.simulate_post("/v1.0/local/instances", json={"instance": wanted})
            self.instances.append(made.json["instance"]["id"])
        self.settle()

    def upgrade(self, at_once: int) -> None:
        """Send an upgrade to as many instances."""
        for instance_id in self.instances[:at_once]:
            body = {"instance": {"datastore_version": "17.11"}}
            answer = self.door.simulate_patch(f"/v1.0/local/instances/{instance_id}", json=body)
            if answer.status_code != 202:
                sys.exit(answer.text)

    def settle(self) -> float:
        """Wait until no operation is open; gives the seconds of CPU that waiting itself took."""
        begun = time.thread_time()
        is_open = select(func.count()).where(Operation.state == "OPEN")
        while True:
            with self.observer.read() as session:
                if not session.execute(is_open).scalar():
                    return time.thread_time() - begun
            time.sleep(0.01)


@contextmanager
def running(url: str, home: Path) -> Iterator[Plane]:
    """Run a control plane on an empty record store."""
    (provider, guests), meter = machines(), Meter()
    house = wiring.build(configure(url, home), Elsewhere(provider, meter))
    schema.upgrade(house.store)
    wiring.register_images(house)
    meter.listen(house.store.engine)
    worker = wiring.make_worker(house, Elsewhere(guests, meter), FakeOutages(lambda address: True))
    token = next(iter(wiring.local_tokens(house.conf)))
    door = testing.TestClient(
        wiring.make_door(house, worker.wake),
        headers={"X-Auth-Token": token},
    )
    plane = Plane(house.store, Store(url), door, meter)
    worker.start()
    try:
        yield plane
    finally:
        worker.stop()
        plane.observer.close()
        house.store.close()


def configure(url: str, home: Path) -> cfg.ConfigOpts:
    """Configure what `instar serve` would have by default, and as many operations under way as are sent."""
    overrides = {"state_dir": str(home / "state"), "provider": "fake", "store.url": url}
    return settings.load([], {**overrides, "worker.cap": max(TIMES)})


def measure(plane: Plane, at_once: int, times: int) -> dict[str, Any]:
    """Send upgrades at once, so many times; gives what one of them took."""
    number, cpu, ended = at_once * times, 0.0, newest_end(plane)
    for time_around in range(times + 1):
        if time_around == 1:
            plane.meter.reset()
            cpu, ended = 0.0, newest_end(plane)
        begun = time.process_time()
        plane.upgrade(at_once)
        waiting = plane.settle()
        cpu += time.process_time() - begun - waiting
    statements = {what: count / number for what, count in plane.meter.statements.most_common()}
    return {
        "at_once": at_once,
        "n": number,
        "cpu_ms": cpu / number * 1000,
        "wall_ms": (seconds_since(plane, ended, number) - plane.meter.elsewhere) / number * 1000,
        "statements": {
            kind: sum(n for what, n in statements.items() if what.startswith(kind)) for kind in KINDS
        },
        "statements_by_table": statements,
    }


def newest_end(plane: Plane) -> float:
    """Tell when the last operation ended, by the store's clock."""
    with plane.observer.read() as session:
        return session.execute(select(func.max(Operation.ended))).scalar() or 0.0


def seconds_since(plane: Plane, ended: float, number: int) -> float:
    """Add up how long the upgrades took that ended later; all of them must have succeeded."""
    query = select(func.count(), func.sum(Operation.ended - Operation.created))
    done = query.where(Operation.kind == "upgrade", Operation.state == "SUCCEEDED", Operation.ended > ended)
    with plane.observer.read() as session:
        count, seconds = session.execute(done).one()
    if count != number:
        sys.exit(f"{count} of {number} upgrades succeeded")
    return seconds or 0.0


def grow(plane: Plane) -> None:
    """Put finished operations into the store: copies of a true one with its steps and events, a day older."""
    with plane.observer.read() as session:
        done = select(Operation).where(Operation.kind == "upgrade").order_by(Operation.ended.desc()).limit(1)
        operation = session.execute(done).scalar_one()
        steps = session.query(StepRecord).where(StepRecord.operation_id == operation.id).all()
        events = session.query(Event).where(Event.operation_id == operation.id).all()
        outage = session.query(Outage).where(Outage.operation_id == operation.id).one()
    ids = [new_id() for _ in range(HISTORY)]
    for begun in range(0, HISTORY, 1000):
        some = ids[begun : begun + 1000]
        with plane.observer.begin() as session:
            session.execute(
                insert(Operation), [aged(operation, id=each, **owner(plane, each)) for each in some]
            )
            session.execute(
                insert(StepRecord), [aged(step, operation_id=each) for each in some for step in steps]
            )
            copied = [
                aged(one, operation_id=each, delivered=True, **owner(plane, each))
                for each in some
                for one in events
            ]
            outages = [aged(outage, operation_id=each) for each in some]
            for row in (*copied, *outages):  # the store numbers them itself
                del row["id"]
            session.execute(insert(Event), copied)
            session.execute(insert(Outage), outages)
    if plane.store.engine.dialect.name == "postgresql":  # autovacuum would, in its time
        with plane.observer.engine.connect() as connection:
            connection.execute(text("ANALYZE"))
            connection.commit()


def owner(plane: Plane, operation_id: str) -> dict[str, str]:
    """Give the instance that a copied operation is said to be of."""
    return {"instance_id": plane.instances[int(operation_id[:4], 16) % len(plane.instances)]}


def aged(row: Base, **changed: Any) -> dict[str, Any]:
    """Copy a row, a day older."""
    values = {column.key: getattr(row, column.key) for column in row.__table__.columns}
    times = ("created", "started", "ended", "step_started", "deadline")
    old = {name: values[name] - AGO for name in times if values.get(name)}
    return {**values, **old, **changed}


def furnished(store: str, home: Path) -> Iterator[str]:
    """Run the store's server, if it has one; gives the URL of an empty store."""
    if store == "sqlite":
        (home / "records.db").touch(mode=0o600)
        yield f"sqlite:///{home}/records.db"
        return
    serve = {"postgresql": record_stores.postgresql, "mariadb": record_stores.mariadb}[store]
    with serve() as server, record_stores.empty_database(server) as url:
        yield url


def run(store: str, sizes: dict[int, int]) -> Iterator[dict[str, Any]]:
    """Measure on one kind of store, empty and then with history."""
    home = Path(tempfile.mkdtemp(prefix="instar-bench-", dir="/var/tmp"))
    try:
        with contextmanager(furnished)(store, home) as url, running(url, home) as plane:
            plane.create(max(sizes))
            for history in (0, HISTORY):
                if history:
                    grow(plane)
                for at_once, times in sizes.items():
                    yield {"store": store, "history": history, **measure(plane, at_once, times)}
    finally:
        shutil.rmtree(home)


def show(told: list[dict[str, Any]]) -> None:
    """Print the table."""
    table = Table(
        "store",
        "history",
        "at once",
        "CPU ms",
        "wall ms",
        *(kind.lower() for kind in KINDS),
        title="for each upgrade",
    )
    for row in told:
        counts = (f"{row['statements'][kind]:.1f}" for kind in KINDS)
        numbers = (str(row["at_once"]), f"{row['cpu_ms']:.1f}", f"{row['wall_ms']:.0f}")
        table.add_row(row["store"], f"{row['history']:,}", *numbers, *counts)
    Console().print(table)


def main() -> int:
    """Measure, print, write down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", default="sqlite,postgresql" + ",mariadb" * bool(record_stores.mariadbd()))
    parser.add_argument("--rounds", type=int, default=1, help="repeats everything so many times as often")
    given = parser.parse_args()
    sizes = {at_once: times * given.rounds for at_once, times in TIMES.items()}
    told = [row for store in given.stores.split(",") for row in run(store, sizes)]
    show(told)
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    (results / "control.json").write_text(json.dumps(told, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
