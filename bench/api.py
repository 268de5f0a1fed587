"""How fast the API answers with 10,000 instances on SQLite, beside the same server answering /healthcheck.

`instar api` runs as a program of its own; clients are processes that keep a connection each. No worker runs,
so every PATCH is an upgrade request that is accepted and stays. Prints a table and writes
bench/results/api.json.
"""

import argparse
import http.client
import json
import multiprocessing
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table
from sqlalchemy import insert

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tests"), str(HERE.parent / "demo")]

from instar.control.catalog import register  # noqa: E402
from instar.control.store import schema  # noqa: E402
from instar.control.store.session import Store  # noqa: E402
from instar.control.store.tables import Instance  # noqa: E402
from instar.wire.agent import Manifest  # noqa: E402
from instar.wire.ids import new_id  # noqa: E402
from real_control_plane import INSTAR, free_port  # noqa: E402
from waiting import until  # noqa: E402

INSTANCES = 10_000
REQUESTS = {"/healthcheck": 600, "list": 300, "show": 600, "PATCH": 300}
"""How many of each in a round, over all clients."""
CLIENTS = (1, 8)
Request = tuple[str, str, str | None]


def furnish(home: Path) -> list[str]:
    """Make a record store with instances at rest; gives their ids."""
    (home / "instar.db").touch(mode=0o600)
    store = Store(f"sqlite:///{home}/instar.db")
    schema.upgrade(store)
    ids = [new_id() for _ in range(INSTANCES)]
    with store.begin() as session:
        old, _ = [register.register_image(session, f"sha256:{v}", manifest(v)) for v in ("17.10", "18.6")]
        assert old
        now = store.now(session)
        session.execute(insert(Instance), [row(number, each, old.id, now) for number, each in enumerate(ids)])
    store.close()
    return ids


def manifest(version: str) -> Manifest:
    """Describe an image."""
    return Manifest(
        recipe=version,
        datastore="postgresql",
        manager="postgresql",
        engine_version=version,
        version_name=version,
        agent_version="1",
    )


def row(number: int, instance_id: str, version_id: str, now: float) -> dict[str, Any]:
    """Describe an instance at rest, as a worker would leave it."""
    return {
        "id": instance_id,
        "project": "local",
        "name": f"db-{number}",
        "version_id": version_id,
        "flavor_id": "1",
        "volume_size": 1,
        "status": "ACTIVE",
        "service_status": "HEALTHY",
        "service_updated": now,
        "next_check": now,
        "address": f"127.70.{number // 250}.{number % 250 + 1}",
        "hostname": f"db-{number}",
        "volume_id": new_id(),
        "image": "sha256:17.10",
        "engine_version": "17.10",
        "agent_version": "1",
        "created": now - number,
        "updated": now,
    }


def client(
    port: int, token: str, requests: list[Request], answer: "multiprocessing.Queue[list[float]]"
) -> None:
    """Send requests one after the other on one connection; answers with their seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.connect()
    headers = {"X-Auth-Token": token, "Content-Type": "application/json"}
    seconds = []
    for verb, path, body in requests:
        begun = time.perf_counter()
        connection.request(verb, path, body, headers)
        response = connection.getresponse()
        response.read()
        seconds.append(time.perf_counter() - begun)
        if response.status not in (200, 202):
            raise SystemExit(f"{verb} {path} was answered {response.status}")
    answer.put(seconds)


def measure(port: int, token: str, requests: list[Request], clients: int) -> list[float]:
    """Share requests among clients that send at the same time; gives all seconds."""
    answer: multiprocessing.Queue[list[float]] = multiprocessing.Queue()
    shares = [requests[number::clients] for number in range(clients)]
    working = [multiprocessing.Process(target=client, args=(port, token, share, answer)) for share in shares]
    for each in working:
        each.start()
    found = [one for _ in working for one in answer.get(timeout=300)]
    for each in working:
        each.join()
    return found


def makers(ids: list[str]) -> dict[str, Callable[[], Request]]:
    """Give what makes the next request of each kind; no instance is asked to upgrade twice."""
    fresh, shown = iter(ids), iter(ids * 10)
    upgrade = json.dumps({"instance": {"datastore_version": "18.6"}})
    return {
        "/healthcheck": lambda: ("GET", "/healthcheck", None),
        "list": lambda: ("GET", "/v1.0/local/instances?limit=20", None),
        "show": lambda: ("GET", f"/v1.0/local/instances/{next(shown)}", None),
        "PATCH": lambda: ("PATCH", f"/v1.0/local/instances/{next(fresh)}", upgrade),
    }


def serve(home: Path, port: int) -> psutil.Popen:
    """Run `instar api` and wait until it answers."""
    with (home / "api.log").open("w") as log:
        program = psutil.Popen(
            [INSTAR, "api", "--state-dir", home, "--port", str(port)], stdout=log, stderr=log
        )
    until(lambda: (home / "client.json").exists() and is_listening(port))
    return program


def is_listening(port: int) -> bool:
    """Tell whether the API answers."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", "/healthcheck")
        return connection.getresponse().status == 200
    except OSError:
        return False


def run(home: Path, rounds: int) -> Iterator[tuple[str, int, list[float]]]:
    """Measure every kind with every number of clients, the kinds taking turns in each round."""
    ids, port = furnish(home), free_port()
    program = serve(home, port)
    token, make = json.loads((home / "client.json").read_text())["token"], makers(ids)
    try:
        for _ in range(rounds):
            for clients in CLIENTS:
                for kind, number in REQUESTS.items():
                    yield kind, clients, measure(port, token, [make[kind]() for _ in range(number)], clients)
    finally:
        program.terminate()
        program.wait()


def main() -> int:
    """Measure, print, write down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    home = Path(tempfile.mkdtemp(prefix="instar-bench-", dir="/var/tmp"))
    seconds: dict[tuple[str, int], list[float]] = {}
    try:
        for kind, clients, found in run(home, rounds):
            seconds.setdefault((kind, clients), []).extend(found)
    finally:
        shutil.rmtree(home)
    table, told = Table("request", "clients", "median", "p99", title=f"{INSTANCES:,} instances on SQLite"), []
    for (kind, clients), found in sorted(seconds.items(), key=lambda each: each[0][1]):
        middle, slow = median(found) * 1000, quantiles(found, n=100)[-1] * 1000
        table.add_row(kind, str(clients), f"{middle:.1f} ms", f"{slow:.1f} ms")
        told.append(
            {"request": kind, "clients": clients, "median_ms": middle, "p99_ms": slow, "n": len(found)}
        )
    Console().print(table)
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    (results / "api.json").write_text(json.dumps({"instances": INSTANCES, "latency": told}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
