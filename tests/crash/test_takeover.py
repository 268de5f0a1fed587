"""Two workers on one PostgreSQL and on one MariaDB record store; and the record store itself going away."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest
from real_cells import thaw
from real_tales import NEW, Stage, upgrades
from sqlalchemy import make_url
from striking_plane import FROZEN_WORKER, KILLED_WORKER, striking_plane

import record_stores
from guest_images import Images
from instar.wire.states import OperationState
from real_control_plane import TIMEOUT
from record_stores import empty_database
from waiting import until

pytestmark = pytest.mark.live
AWAY = "record store did not answer"


@pytest.fixture(scope="module", params=["postgresql", "mariadb"])
def stage(request: pytest.FixtureRequest, images: Images) -> Iterator[Stage]:
    server = request.getfixturevalue(f"{request.param}_server")
    with empty_database(server) as url, striking_plane(images, url) as plane:
        yield Stage(plane, images)


@pytest.mark.parametrize("fault", [KILLED_WORKER, FROZEN_WORKER])
def test_another_worker_takes_over_in_the_middle_of_a_step(stage: Stage, fault: str) -> None:
    instance = stage.at_rest()
    stage.plane.order("upgrade", "post_upgrade", "pg_upgrade")
    with instance.written_to():
        operation = upgrades(NEW)(stage, instance)
        stage.plane.strike(fault, instance, operation)
        stage.plane.wait(operation)
        thaw(stage)
    until(instance.is_one_of_each, TIMEOUT)
    assert (instance.shown.status, instance.version) == ("ACTIVE", "18.6")
    assert [step.name for step in stage.plane.client.operations.get(operation).steps or []].count(
        "rebuild"
    ) == 1


@pytest.fixture(scope="module")
def own_stage(images: Images) -> Iterator[tuple[Stage, "RecordServer"]]:
    """A stage on a record store that can be taken away."""
    with (
        record_stores.postgresql() as server,
        closing(RecordServer()) as records,
        empty_database(server) as url,
    ):
        records.find(url)
        with striking_plane(images, url) as plane:
            yield Stage(plane, images), records


class RecordServer:
    """The PostgreSQL server that records are kept on."""

    def __init__(self) -> None:
        self._started: subprocess.Popen[bytes] | None = None

    def find(self, url: str) -> None:
        """Find the server that a database's URL names."""
        self._home = Path(str(make_url(url).query["host"]))
        self._command = self._postmaster().cmdline()

    def _postmaster(self) -> psutil.Process:
        return psutil.Process(int((self._home / "data/postmaster.pid").read_text().split()[0]))

    def kill(self) -> None:
        """End it and all that it serves, at once."""
        postmaster = self._postmaster()
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            process.kill()
        psutil.wait_procs(processes)

    def start(self) -> None:
        """Start it again, as it was."""
        (self._home / "data/postmaster.pid").unlink(missing_ok=True)
        with (self._home / "log").open("a") as log:
            self._started = subprocess.Popen(
                record_stores._as_user(self._command), cwd=self._home, stdout=log, stderr=log
            )

    def close(self) -> None:
        """End what was started here."""
        if self._started:
            self._started.send_signal(signal.SIGINT)
            self._started.wait(60)


@pytest.mark.parametrize(
    "step",
    [
        "post_upgrade",
        *(pytest.param(step, marks=pytest.mark.crash_all) for step in ("pre_upgrade", "verify")),
    ],
)
def test_an_upgrade_outlasts_its_record_store(own_stage: tuple[Stage, RecordServer], step: str) -> None:
    stage, records = own_stage
    instance = stage.at_rest()
    log = stage.plane.home / "worker.log"
    stage.plane.order("upgrade", step)
    with instance.written_to():
        operation = upgrades(NEW)(stage, instance)
        place: Any = until(stage.plane.reached, TIMEOUT)
        records.kill()
        place.unlink()
        seen = log.read_text().count(AWAY)
        until(lambda: log.read_text().count(AWAY) > seen + 20, TIMEOUT)
        records.start()
        stage.plane.wait(operation)
    assert (instance.shown.status, instance.version) == ("ACTIVE", "18.6")
    assert stage.plane.client.operations.get(operation).state == OperationState.SUCCEEDED
