"""The way from image to image: nothing acknowledged is lost, and whatever is repeated ends the same."""

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from guest_machine import DATABASE, USER, Machine, connect, each_major, engine_version, wait_for

from instar.wire.errors import BadRequest, GuestError, InstarError, Untouched, Vetoed

Make = Callable[..., Machine]


class Writer:
    """A client that writes rows, connects again by itself, and remembers what was acknowledged."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.acknowledged: list[int] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        with connect(machine) as client:
            client.execute("CREATE TABLE written (n int PRIMARY KEY)")
        self._thread.start()
        self.writes_on()

    def _write(self) -> None:
        number = 0
        while not self._ended.is_set():
            try:
                with connect(self.machine) as client:
                    while not self._ended.wait(0.002):
                        number += 1
                        client.execute("INSERT INTO written VALUES (%s)", [number])
                        self.acknowledged.append(number)
            except psycopg.Error:
                self._ended.wait(0.01)

    def writes_on(self) -> None:
        count = len(self.acknowledged)
        wait_for(lambda: len(self.acknowledged) > count + 5, "acknowledged writes")

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def lost(self) -> set[int]:
        with connect(self.machine) as client:
            return set(self.acknowledged) - {row[0] for row in client.execute("SELECT n FROM written")}


def made(make_machine: Make, major: int = 17) -> Machine:
    machine = make_machine(major)
    machine.job("create", "prepare", databases=[{"name": DATABASE}], users=[USER])
    machine.call("enable_root", password="secret-root")
    return machine


def target(major: int, method: str = "link") -> dict[str, str]:
    return {
        "target_engine_version": engine_version(major),
        "target_image_digest": "sha256:x",
        "method": method,
    }


def leave(machine: Machine, major: int, method: str = "link") -> dict[str, Any]:
    """Carry out what comes before the swap; the old server is gone afterwards."""
    info = machine.job("pre", "pre_upgrade", **target(major, method))
    assert machine.status() == "SHUTDOWN"
    machine.power_off()
    return info


@pytest.mark.parametrize("method", ["link", "copy"])
def test_major_upgrade(make_machine: Make, method: str) -> None:
    old = made(make_machine)
    with connect(old, "root", "secret-root") as client:
        client.execute("ALTER SYSTEM SET work_mem = '7MB'")
        client.execute("CREATE EXTENSION pg_trgm VERSION '1.5'")
        client.execute("SELECT pg_reload_conf()")
    (old.volume / "postgresql/17/instar.conf").write_text("max_connections = 42\n")
    old.job("restart", "restart")
    before = old.call("read_back")
    writer = Writer(old)
    try:
        assert old.call("check_upgrade", **target(18, method))["findings"] == []
        info = leave(old, 18, method)
        new = make_machine(18, before=old, older=(17,))
        assert new.status() == "SHUTDOWN"
        told = new.arrive("post", upgrade_info=info)
        writer.writes_on()
        settled = new.job("settle", "settle")
        writer.writes_on()
    finally:
        writer.stop()
    assert writer.lost() == set()
    assert told["converted_from"] == 17
    assert [each for each in told["extensions_updated"] if each.startswith(f"{DATABASE}/pg_trgm 1.5 ->")]
    assert settled == {"removed": ["17"]}
    assert sorted(path.name for path in (new.volume / "postgresql").iterdir()) == ["18"]
    after = new.call("read_back")
    assert after["engine_version"] == engine_version(18)
    assert after["settings"] == before["settings"]
    assert after["settings"]["work_mem"] == "7MB"
    assert after["settings"]["max_connections"] == "42"
    assert (after["databases"], after["users"]) == (before["databases"], before["users"])
    with connect(new, "root", "secret-root") as client:
        analyzed = client.execute("SELECT 1 FROM pg_statistic WHERE starelid = 'written'::regclass")
        assert analyzed.rowcount == 1


@pytest.mark.parametrize("major", each_major(17, 18))
def test_same_version_upgrade(make_machine: Make, major: int) -> None:
    old = made(make_machine, major)
    writer = Writer(old)
    try:
        info = leave(old, major)
        new = make_machine(major, before=old)
        told = new.arrive("post", upgrade_info=info)
        assert new.arrive("post-again", upgrade_info=info) == told
        assert new.job("settle", "settle") == {"removed": []}
        writer.writes_on()
    finally:
        writer.stop()
    assert writer.lost() == set()
    assert told["converted_from"] is None


def appears(pattern: str) -> Callable[[Machine], bool]:
    return lambda machine: any(machine.volume.glob(f"postgresql/{pattern}"))


@pytest.mark.parametrize("death", ["power_off", "kill_agent"])
@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(appears("18.new/PG_VERSION"), id="initdb"),
        pytest.param(
            appears("18.new/pg_upgrade_output.d/*/log/pg_upgrade_dump_*.log"), id="pg_upgrade dumps"
        ),
        pytest.param(appears("17/global/pg_control.old"), id="old directory disabled"),
        pytest.param(appears("18"), id="named"),
    ],
)
def test_killed_conversion_is_repeated(
    make_machine: Make, moment: Callable[[Machine], bool], death: str
) -> None:
    old = made(make_machine)
    with connect(old) as client:
        client.execute("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n")
    info = leave(old, 18)
    new = make_machine(18, before=old, older=(17,))
    new.start_job("post", "post_upgrade", upgrade_info=info)
    wait_for(lambda: moment(new), "the moment to die")
    getattr(new, death)()
    new.boot()
    view = new.get("/jobs/post")
    assert (view["state"], view["error"]["code"], view["error"]["retryable"]) == (
        "Failed",
        "interrupted",
        True,
    )
    told = new.arrive("post", upgrade_info=info)
    assert told["engine_version"] == engine_version(18)
    assert new.status() == "HEALTHY"
    with connect(new) as client:
        assert client.execute("SELECT count(*) FROM t").fetchone() == (1000,)


def test_data_directory_that_was_not_stopped_is_recovered_first(make_machine: Make) -> None:
    old = made(make_machine)
    writer = Writer(old)
    writer.stop()
    old.power_off()
    new = make_machine(18, before=old, older=(17,))
    new.arrive("post", upgrade_info={})
    assert writer.lost() == set()


def test_check_of_pg_upgrade_that_fails_leaves_the_old_version_usable(make_machine: Make) -> None:
    old = made(make_machine)
    info = leave(old, 18)
    meddler = make_machine(17, before=old)
    meddler.job("start", "start")
    with connect(meddler) as client:
        client.execute("CREATE TABLE depends (p regproc)")
    meddler.power_off()
    new = make_machine(18, before=old, older=(17,))
    with pytest.raises(Untouched, match=r"public\.depends\.p") as refused:
        new.arrive("post", upgrade_info=info)
    assert refused.value.body.brief == "pg_upgrade refuses: reg* data types in user tables"
    assert "resume the operation" in refused.value.body.remedy
    new.power_off()
    back = make_machine(17, before=old)
    back.job("back", "come_back")
    with connect(back) as client:
        client.execute("SELECT * FROM depends")


def test_setting_that_the_new_version_refuses_is_named(make_machine: Make) -> None:
    old = made(make_machine)
    info = leave(old, 18)
    (old.volume / "instar/saved/instar.conf").write_text("no_such_setting = 1\n")
    new = make_machine(18, before=old, older=(17,))
    with pytest.raises(GuestError) as refused:
        new.arrive("post", upgrade_info=info)
    assert refused.value.body.brief == "The database refuses its configuration: no_such_setting"
    (old.volume / "instar/saved/instar.conf").write_text("")
    new.arrive("post-again", upgrade_info=info)
    assert new.status() == "HEALTHY"


def test_every_obstacle_is_told_and_the_database_serves_on(make_machine: Make) -> None:
    machine = made(make_machine)
    with connect(machine, "root", "secret-root") as client:
        client.execute("ALTER SYSTEM SET max_prepared_transactions = 5")
        client.execute("ALTER SYSTEM SET wal_level = logical")
        client.execute("CREATE DATABASE closed ALLOW_CONNECTIONS false")
    machine.job("restart", "restart")
    with connect(machine, "root", "secret-root") as client:
        client.execute("SELECT pg_create_logical_replication_slot('slot', 'pgoutput')")
    with connect(machine) as client:
        client.execute("BEGIN")
        client.execute("PREPARE TRANSACTION 'half'")
    told = machine.call("check_upgrade", **target(18))["findings"]
    assert {each["check"] for each in told} == {
        "prepared_transactions",
        "closed_databases",
        "replication_slots",
    }
    assert all(each["remedy"] for each in told)
    with pytest.raises(Vetoed) as vetoed:
        machine.job("pre", "pre_upgrade", **target(18))
    assert len(vetoed.value.body.findings) == 3
    assert machine.status() == "HEALTHY"
    assert machine.call("check_upgrade", **target(17))["findings"] == []


def test_older_version_and_unknown_method_are_refused(make_machine: Make) -> None:
    machine = made(make_machine, 18)
    told = machine.call("check_upgrade", **target(17))["findings"]
    assert [each["check"] for each in told] == ["version"]
    with pytest.raises(BadRequest, match="method"):
        machine.call("check_upgrade", **target(18, method="teleport"))


def test_pre_upgrade_may_be_repeated_and_taken_back(make_machine: Make) -> None:
    machine = made(make_machine)
    info = machine.job("pre", "pre_upgrade", **target(18))
    assert machine.job("pre-again", "pre_upgrade", **target(18)) == info
    machine.shut_down()
    machine.boot()
    assert machine.status() == "SHUTDOWN"
    machine.job("abort", "start")
    connect(machine).close()


def test_repeat_that_is_vetoed_leaves_a_database_that_should_run(make_machine: Make) -> None:
    machine = made(make_machine)
    (machine.volume / "instar/desired").write_text("upgrading")  # as when the agent dies before the stop
    with connect(machine) as client:
        client.execute("CREATE TABLE depends (p regproc)")
    with pytest.raises(Vetoed):
        machine.job("pre", "pre_upgrade", **target(18))
    machine.power_off()
    machine.boot()
    wait_for(lambda: machine.status() == "HEALTHY", "the database after a power cut")


def test_start_takes_back_a_pre_upgrade_under_way(make_machine: Make) -> None:
    machine = made(make_machine)
    writer = Writer(machine)
    try:
        machine.start_job("pre", "pre_upgrade", **target(18))
        machine.job("abort", "start")
        wait_for(lambda: machine.get("/jobs/pre")["ended_at"] is not None, "the end of pre_upgrade")
        assert machine.status() == "HEALTHY"
        writer.writes_on()
    finally:
        writer.stop()
    assert writer.lost() == set()
    view = machine.get("/jobs/pre")
    assert view["state"] == "Succeeded" or view["error"]["code"] == "cancelled"


def test_pre_upgrade_whose_agent_died_is_repeated(make_machine: Make) -> None:
    machine = made(make_machine)
    writer = Writer(machine)
    try:
        machine.start_job("pre", "pre_upgrade", **target(18))
        wait_for(lambda: (machine.volume / "instar/saved").exists(), "the configuration to be saved")
        machine.kill_agent()
        machine.boot()
        info = machine.job("pre", "pre_upgrade", **target(18))
    finally:
        writer.stop()
    machine.job("start", "start")
    assert info["databases"] == [DATABASE, "postgres", "template1"]
    assert writer.lost() == set()


def test_newer_volume_and_blank_volume_are_refused(make_machine: Make) -> None:
    old = made(make_machine, 18)
    leave(old, 18)
    wrong = make_machine(17, before=old)
    for hook in ("start", "post_upgrade", "prepare"):
        with pytest.raises(InstarError, match="no data directory"):
            wrong.job(hook, hook, **({"upgrade_info": {}} if hook == "post_upgrade" else {}))
