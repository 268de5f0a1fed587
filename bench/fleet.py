"""What grows with the fleet: each call at 100, 1,000 and 10,000 instances, with one worker and with four.

Door and workers run in this process, as the fake machines and guests are in its memory. Workers have owners
and record stores of their own, and so compete as on several hosts; how fast they are side by side is not
measured. Instances are copies of a true one with its operations, steps and events, but for those that are
upgraded. PostgreSQL's CPU is told apart, and it flushes nothing. A question to a guest is only what the
record has to do with it; `questions.py` has the rest. Prints a table and writes bench/results/fleet.json.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
from falcon import testing
from rich.console import Console
from rich.table import Table
from sqlalchemy import Insert, Select, String, cast, func, insert, select, text, true, update
from sqlalchemy.dialects.postgresql import ARRAY

from control import Meter, Plane, aged, configure, furnished, measure
from instar.control import main as programs
from instar.control import wiring
from instar.control.engine import retention
from instar.control.engine.worker import Worker
from instar.control.events.deliver import Delivery
from instar.control.guests.fake_outages import FakeOutages
from instar.control.guests.presence import Presence
from instar.control.operations import close_undo
from instar.control.operations.stories import STORIES
from instar.control.store import schema
from instar.control.store.session import Store
from instar.control.store.tables import Configuration, Event, Instance, Operation, Outage, StepRecord
from instar.wire.ids import new_id
from world import machines

HERE = Path(__file__).resolve().parent
SIZES = (100, 1_000, 10_000)
WORKERS = (1, 4)
AT_ONCE = 32
IDLE = 5.0
"""Seconds for which an idle plane is watched."""
GROUPS = 20
ASKED, TOLD, QUEUE = 1_000, 200, 1_000
Row = dict[str, Any]


@dataclass
class Fleet(Plane):
    """A plane whose `instances` are true, and whose `copies` are rows, with a server and a guest each."""

    house: wiring.House = field(kw_only=True)
    guests: Any = field(kw_only=True)
    copies: list[str] = field(default_factory=list)

    @contextmanager
    def working(self, number: int, *, attended: bool = False) -> Iterator[list[Worker]]:
        """Run workers, with all that goes on beside them or without."""
        with ExitStack() as stack:
            houses = [replace(self.house, store=self.open()) for _ in range(number)]
            outages = FakeOutages(lambda address: True)
            workers = [wiring.make_worker(house, self.guests, outages) for house in houses]
            beside = [
                each for house in houses if attended for each in programs.attendants(house, self.guests)
            ]
            for house in houses:
                stack.callback(house.store.close)
            for part in (*workers, *beside):
                part.start()
                stack.callback(part.stop)
            yield workers

    def open(self) -> Store:
        """Open the record store once more; its statements are counted."""
        store = Store(self.house.conf.store.url)
        self.meter.listen(store.engine)
        return store

    def cost(self, call: str, act: Callable[[], Any], number: float = 1, **more: Any) -> Row:
        """Measure what each of a number of calls costs, which `act` makes at once."""
        self.meter.reset()
        own, theirs, begun = time.process_time(), server_cpu(), time.perf_counter()
        act()
        wall, own, theirs = time.perf_counter() - begun, time.process_time() - own, server_cpu() - theirs
        each = {"cpu_ms": own * 1000, "server_ms": theirs * 1000, "wall_ms": wall * 1000}
        told = {name: value / number for name, value in each.items()}
        statements = {what: count / number for what, count in self.meter.statements.most_common()}
        return {"call": call, **told, "statements": sum(statements.values()), "by_table": statements, **more}

    def change(self, table: Any, ids: list[Any], **values: Any) -> None:
        """Change rows behind the plane's back."""
        with self.observer.begin() as session:
            session.execute(update(table).where(table.id.in_(ids)).values(**values))

    def until_none(self, query: Select[Any]) -> None:
        """Wait until a query finds nothing."""
        with self.observer.look() as connection:
            while connection.execute(query.limit(1)).first():
                connection.rollback()
                time.sleep(0.05)

    def get(self, path: str) -> None:
        """Send a GET to the door."""
        answer = self.door.simulate_get(f"/v1.0/local/{path}")
        assert answer.status_code == 200, answer.text

    def post(self, path: str, body: Row) -> Row:
        """Send a POST to the door."""
        answer = self.door.simulate_post(f"/v1.0/local/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json)


def server_cpu() -> float:
    """Give the seconds that the PostgreSQL server, a child of this process, has used so far."""
    processes = psutil.Process().children(recursive=True)
    try:
        return sum(sum(each.cpu_times()[:4]) for each in processes if each.name() == "postgres")
    except psutil.NoSuchProcess:  # a connection was closed; its seconds are its parent's now
        return server_cpu()


@contextmanager
def running(url: str, home: Path) -> Iterator[Fleet]:
    """Make a plane of a few true instances, each upgraded once; no worker runs yet."""
    (provider, guests), meter = machines(), Meter()
    conf = configure(url, home)
    conf.set_override("interval", 86400.0, "guests")
    house = wiring.build(conf, provider)
    schema.upgrade(house.store)
    wiring.register_images(house)
    meter.listen(house.store.engine)
    token = next(iter(wiring.local_tokens(conf)))
    door = testing.TestClient(wiring.make_door(house), headers={"X-Auth-Token": token})
    fleet = Fleet(house.store, Store(url), door, meter, house=house, guests=guests)
    with fleet.working(1):
        fleet.create(AT_ONCE)
        fleet.upgrade(AT_ONCE)
        fleet.settle()
    try:
        yield fleet
    finally:
        fleet.observer.close()
        house.store.close()


def grow(fleet: Fleet, size: int) -> None:
    """Add copies of the first instance and its history, each with a server and a guest."""
    with fleet.observer.read() as session:
        mother = session.get_one(Instance, fleet.instances[0])
        groups = list(session.execute(select(Configuration.id)).scalars()) or make_groups(fleet)
    ids = [new_id() for _ in range(size - len(fleet.instances) - len(fleet.copies))]
    now = time.time()
    rows = [
        aged(mother, id=each, configuration_id=groups[number % GROUPS])
        | {"created": now, "next_check": now + 86400}
        for number, each in enumerate(ids)
    ]
    with fleet.observer.begin() as session:
        session.execute(insert(Instance), rows)
        for kind in (Operation, StepRecord, Event, Outage):
            session.execute(copies(kind.__table__, mother.id, ids))
    with fleet.observer.engine.connect() as connection:  # autovacuum would, in its time
        connection.execute(text("ANALYZE"))
        connection.commit()
    follow(fleet, mother.id, ids)


def copies(table: Any, mother: str, ids: list[str]) -> Insert:
    """Copy the rows of an instance's ended operations for other instances: PostgreSQL does so by itself."""
    fresh = func.unnest(cast(ids, ARRAY(String))).table_valued("id").render_derived(name="fresh")
    ended = select(Operation.id).where(Operation.instance_id == mother, Operation.state == "SUCCEEDED")
    of = table.c.id if table is Operation.__table__ else table.c.operation_id
    changed = {of.name: func.md5(fresh.c.id + of), "instance_id": fresh.c.id, "delivered": true()}
    columns = [each for each in table.c if each is of or each.name != "id"]  # the store numbers the others
    query = select(*(changed.get(each.name, each) for each in columns)).join_from(table, fresh, true())
    return insert(table).from_select([each.name for each in columns], query.where(of.in_(ended)))


def make_groups(fleet: Fleet) -> list[str]:
    """Make configuration groups through the door; gives their ids."""
    datastore = {"type": "postgresql", "version": "17.11"}
    wanted = {"values": {"work_mem": 8192}, "datastore": datastore}
    made = [
        fleet.post("configurations", {"configuration": {"name": f"g{n}", **wanted}}) for n in range(GROUPS)
    ]
    return [each["configuration"]["id"] for each in made]


def follow(fleet: Fleet, mother: str, ids: list[str]) -> None:
    """Give copies their machines."""
    servers, guests = fleet.house.provider.servers, fleet.guests  # type: ignore[attr-defined]
    for each in ids:
        servers[f"instar-{each}"] = replace(servers[f"instar-{mother}"], name=f"instar-{each}")
        guests.servers[each], guests.databases[each] = guests.servers[mother], guests.databases[mother]
    fleet.copies += ids


# -- what is measured ---------------------------------------------------------------------------------------


def with_workers(fleet: Fleet, number: int, rounds: int) -> Iterator[Row]:
    """Measure what depends on the number of workers."""
    with fleet.working(number):
        before, upgrades = server_cpu(), AT_ONCE * (rounds + 1)
        told = measure(fleet, AT_ONCE, rounds)
        kinds: dict[str, float] = told["statements"]
        yield {
            "call": f"an upgrade, {AT_ONCE} at once",
            "cpu_ms": told["cpu_ms"],
            "server_ms": (server_cpu() - before) / upgrades * 1000,
            "wall_ms": told["wall_ms"],
            "statements": sum(kinds.values()),
            "by_table": told["statements_by_table"],
        }
    with fleet.observer.begin() as session:
        session.execute(update(Event).values(delivered=True))
    with fleet.working(number, attended=True):
        time.sleep(2)  # guests of instances that were upgraded are asked
        yield fleet.cost("a minute of idleness", lambda: time.sleep(IDLE), IDLE / 60)
    stores = [fleet.open() for _ in range(number)]
    asked = fleet.copies[:ASKED]
    fleet.change(Instance, asked, service_updated=0.0, next_check=0.0)
    presences = [Presence(store, fleet.guests, 86400) for store in stores]
    untold = select(Instance.id).where(Instance.service_updated == 0.0)
    yield fleet.cost("a question to a guest", lambda: at_work(fleet, presences, untold), len(asked))
    with fleet.observer.read() as session:
        events = list(session.execute(select(Event.id).order_by(Event.id.desc()).limit(TOLD)).scalars())
    fleet.change(Event, events, delivered=False)
    sent: list[str] = []
    deliveries = [Delivery(store, lambda kind, _: sent.append(kind)) for store in stores]
    waiting = select(Event.id).where(Event.delivered.is_(False))
    told = fleet.cost("an event that waited", lambda: at_work(fleet, deliveries, waiting), len(events))
    yield told | {"sent": len(sent) / len(events)}
    for store in stores:
        store.close()


def at_work(fleet: Fleet, parts: list[Any], left: Select[Any]) -> None:
    """Have parts run until nothing is left."""
    for each in parts:
        each.start()
    fleet.until_none(left)
    for each in parts:
        each.stop()


def without_workers(fleet: Fleet, rounds: int) -> Iterator[Row]:
    """Measure what is the same for every number of workers."""
    newest = fleet.copies[-1]
    for name, path in {
        "GET instances, a page of 20": "instances",
        "GET instances/detail": "instances/detail",
        "GET mgmt/instances": "mgmt/instances",
        "GET one instance": f"instances/{newest}",
        "GET its operations": f"instances/{newest}/operations",
    }.items():
        fleet.get(path)
        yield fleet.cost(name, lambda path=path: [fleet.get(path) for _ in range(20 * rounds)], 20 * rounds)
    with fleet.working(1):
        wanted = {"plan": {"datastore_version": "17.11"}}
        ways = [f"instances/{each}/plans" for each in fleet.instances[:20]]
        yield fleet.cost("a plan", lambda: [fleet.post(way, wanted) for way in ways], len(ways))
    quiet, keep = [kind for kind, story in STORIES.items() if story.quiet], 90 * 86400.0
    for name, act in {
        "recover() of the fake": fleet.house.provider.recover,
        "a look for what to forget": lambda: retention.forget(fleet.store, keep, quiet),
        "a look for undo windows": lambda: close_undo.close_due(fleet.store),
    }.items():
        yield fleet.cost(name, lambda act=act: [act() for _ in range(10)], 10)
    over = fleet.copies[:50]
    fleet.change(Instance, over, undo_until=1.0, undo={})

    def close() -> None:
        assert close_undo.close_due(fleet.store) == len(over)
        with fleet.working(1):
            fleet.settle()

    yield fleet.cost("an undo window that closes", close, len(over))


def queue(fleet: Fleet) -> Iterator[Row]:
    """Measure what it costs to accept upgrades, and to look for due ones among many; nobody works on them."""
    wanted = {"instance": {"datastore_version": "17.11"}}

    queued = fleet.copies[:QUEUE]

    def accept() -> None:
        for each in queued:
            assert fleet.door.simulate_patch(f"/v1.0/local/instances/{each}", json=wanted).status_code == 202

    worker = wiring.make_worker(fleet.house, fleet.guests, FakeOutages(lambda address: True))
    for waiting in (0, len(queued)):
        if waiting:
            yield fleet.cost("PATCH: an upgrade is accepted", accept, len(queued))
        name = f"a look for work, {waiting:,} waiting"
        yield fleet.cost(name, lambda: [worker.leases.due(8, list(STORIES)) for _ in range(100)], 100)


# -- the whole ----------------------------------------------------------------------------------------------


def run(sizes: list[int], rounds: int) -> Iterator[Row]:
    """Measure everything at every size, the plane growing meanwhile."""
    home = Path(tempfile.mkdtemp(prefix="instar-bench-", dir="/var/tmp"))
    try:
        with contextmanager(furnished)("postgresql", home) as url, running(url, home) as fleet:
            for size in sizes:
                grow(fleet, size)
                for number in WORKERS:
                    for row in with_workers(fleet, number, rounds):
                        yield {"instances": size, "workers": number, **row}
                for row in without_workers(fleet, rounds):
                    yield {"instances": size, "workers": 1, **row}
            for row in queue(fleet):
                yield {"instances": size, "workers": 1, **row}
    finally:
        shutil.rmtree(home)


def show(told: list[Row], sizes: list[int]) -> None:
    """Print the table: the plane's CPU, the server's, and the statements of each call."""
    columns = [f"{size:,} instances" for size in sizes]
    table = Table("call", "workers", *columns, title="ms CPU / ms of PostgreSQL / statements")
    found = {(row["call"], row["workers"], row["instances"]): row for row in told}
    for call, workers in dict.fromkeys((row["call"], row["workers"]) for row in told):
        cells = [found.get((call, workers, size)) for size in sizes]
        table.add_row(call, str(workers), *(cell(row) if row else "" for row in cells))
    Console(width=130).print(table)


def cell(row: Row) -> str:
    """Write what a call costs."""
    sent = f", sent {row['sent']:.1f} times" if "sent" in row else ""
    return f"{row['cpu_ms']:.1f} / {row['server_ms']:.1f} / {row['statements']:.1f}{sent}"


def main() -> int:
    """Measure, print, write down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--rounds", type=int, default=4)
    given = parser.parse_args()
    sizes = [int(size) for size in given.sizes.split(",")]
    told = []
    for row in run(sizes, given.rounds):
        print(f"{row['instances']:,} instances, {row['workers']} workers: {row['call']}", file=sys.stderr)
        told.append(row)
    show(told, sizes)
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    (results / "fleet.json").write_text(json.dumps(told, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
