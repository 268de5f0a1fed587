"""What a question to a guest agent costs, and a look from outside at whether a database lets clients in.

Presence asks every guest every half minute; upgrades are looked at up to forty times a second each. A process
serves the agent's own API over mutual TLS, with a database that is none, and another asks whoever comes for a
password. Prints a table and writes bench/results/questions.json.
"""

import json
import multiprocessing
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from instar.agent import hooks, server, tls
from instar.agent.datastores.base import Datastore
from instar.agent.jobs import Jobs
from instar.control.guests.authority import Authority
from instar.control.guests.channel import Channels
from instar.control.guests.reach import reachable
from instar.wire.agent import AgentInfo, DatabaseStatus
from instar.wire.states import ServiceStatus

RESULTS = Path(__file__).resolve().parent / "results"
TIMES = 500
GUEST, ADDRESS = "guest", "127.0.0.1"
PASSWORD_WANTED = b"R\0\0\0\x0c\0\0\0\x0a"


class Healthy(Datastore):
    """A database that is none."""

    def status(self) -> DatabaseStatus:
        """Say that all is well."""
        return DatabaseStatus(status=ServiceStatus.HEALTHY)


def agent(ready: Connection, root: Path) -> None:
    """Serve the guest API; tells its port."""
    jobs = Jobs(root / "jobs", lambda hook, params: hooks.bind(Healthy(), hook, params))
    who = {"instance_id": GUEST, "boot_id": "b", "manager": "none", "image_digest": "", "engine_version": ""}
    api = server.Api(AgentInfo(agent_version="1", **who), Healthy(), jobs)
    listening = server.make_server(ADDRESS, 0, api, tls.server_context(root))
    ready.send(listening.bind_addr[1])
    listening.serve()


def database(ready: Connection) -> None:
    """Ask whoever comes for a password, as PostgreSQL does; tells the port."""
    with socket.create_server((ADDRESS, 0)) as listening:
        ready.send(listening.getsockname()[1])
        while True:
            with listening.accept()[0] as client:
                client.recv(1024)
                client.sendall(PASSWORD_WANTED)


@contextmanager
def serving(serve: Callable[..., None], *args: Any) -> Iterator[tuple[int, psutil.Process]]:
    """Run a server in a process of its own; gives its port."""
    ours, its = multiprocessing.Pipe()
    process = multiprocessing.Process(target=serve, args=(its, *args), daemon=True)
    process.start()
    try:
        yield ours.recv(), psutil.Process(process.pid)
    finally:
        process.terminate()
        process.join()


def cost(ask: Callable[[], Any], other: psutil.Process) -> dict[str, float]:
    """Ask again and again; gives what one time takes here and there."""
    assert ask()
    cpu, theirs, wall = time.process_time(), sum(other.cpu_times()[:2]), time.perf_counter()
    for _ in range(TIMES):
        ask()
    here, there = time.process_time() - cpu, sum(other.cpu_times()[:2]) - theirs
    spent = {"cpu_ms": here, "there_ms": there, "wall_ms": time.perf_counter() - wall}
    return {name: seconds / TIMES * 1000 for name, seconds in spent.items()}


def run(home: Path) -> Iterator[tuple[str, dict[str, float]]]:
    """Measure both."""
    authority = Authority(home / "tls")
    for name, content in Channels(authority).files(GUEST, {"address": ADDRESS}, {}).items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(content)
    with serving(agent, home) as (port, process):
        yield "a question to an agent", cost(Channels(authority, port).at(GUEST, ADDRESS).status, process)
    with serving(database) as (port, process):
        yield "a look from outside", cost(lambda: reachable("postgresql", ADDRESS, port, 1.0), process)


def main() -> int:
    """Measure, print, write down."""
    with tempfile.TemporaryDirectory(prefix="instar-bench-") as home:
        told = dict(run(Path(home)))
    table = Table("", "CPU ms here", "CPU ms there", "ms in all")
    for name, spent in told.items():
        table.add_row(name, *(f"{milliseconds:.2f}" for milliseconds in spent.values()))
    Console().print(table)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "questions.json").write_text(json.dumps(told, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
