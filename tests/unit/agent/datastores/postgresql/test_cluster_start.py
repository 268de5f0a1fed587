"""A start is waited for as long as the server goes on with it."""

import itertools
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from instar.agent.datastores.postgresql import cluster as clusters
from instar.agent.datastores.postgresql.cluster import Cluster
from instar.wire.errors import GuestError

KNOCK = "FATAL:  the database system is starting up\n"


@pytest.fixture
def hanging(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster whose server is there and gets no further."""
    data = tmp_path / "data"
    data.mkdir()
    with subprocess.Popen(["sleep", "600"], cwd=data) as process:
        (data / "postmaster.pid").write_text(f"{process.pid}\n{data}\n")
        yield Cluster(tmp_path, data, tmp_path, tmp_path / "log", "127.0.0.1", 5432)
        process.kill()


def test_clients_who_knock_do_not_prolong_it(hanging: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "PATIENCE", 0.2)
    ended, seen = threading.Event(), set[int]()

    def knock() -> None:
        for _ in itertools.takewhile(lambda number: number < 1000 and not ended.is_set(), itertools.count()):
            with hanging.log.open("a") as log:
                log.write(KNOCK)
            ended.wait(0.01)
        with (hanging.data / "postmaster.pid").open("a") as status:
            status.write("\n" * 5 + "ready\n")

    clients = threading.Thread(target=knock)
    hanging.log.write_text("LOG:  starting\n")
    clients.start()
    try:
        with pytest.raises(GuestError, match="accepts no connections") as refused:
            hanging.start(seen.add)
    finally:
        ended.set()
        clients.join()
    assert KNOCK.strip() not in refused.value.body.seen
    assert len(seen) <= 1
