"""What an upgrade must refuse or survive: tablespaces in the way, stale requests, clients who stay in."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from guest_machine import Machine, connect, wait_for
from test_crossing import leave, made, target

from instar.wire.errors import GuestError, InstarError, Vetoed

Make = Callable[..., Machine]


def tablespace(machine: Machine, path: str) -> None:
    """Make a tablespace at a path, with a table of 1000 rows in it."""
    with connect(machine, "root", "secret-root") as client:
        client.execute(f"COPY (SELECT 1) TO PROGRAM 'mkdir -p {path}'")
        client.execute(f"CREATE TABLESPACE extra LOCATION '{path}'")
        client.execute("CREATE TABLE precious TABLESPACE extra AS SELECT generate_series(1, 1000) AS n")


def rows(machine: Machine) -> int:
    with connect(machine, "root", "secret-root") as client:
        row = client.execute("SELECT count(*) FROM precious").fetchone()
        assert row is not None
        return int(row[0])


@pytest.mark.parametrize(
    ("place", "refused"),
    [
        ("{root}/var/space", [17, 18]),
        ("{volume}/instar/space", [17, 18]),
        ("{volume}/postgresql/17/space", [18]),
        ("{volume}/postgresql/17.old", [18]),
        ("{volume}/space", []),
    ],
)
def test_tablespace_that_an_upgrade_would_lose_is_refused(
    make_machine: Make, place: str, refused: list[int]
) -> None:
    machine = made(make_machine)
    tablespace(machine, place.format(root=machine.root, volume=machine.volume))
    for major in (17, 18):
        found = machine.call("check_upgrade", **target(major))["findings"]
        assert [each["check"] for each in found] == ["tablespaces"] * (major in refused)
        assert all("extra" in each["seen"] and each["remedy"] for each in found)
    for major in refused:
        with pytest.raises(Vetoed, match="tablespaces"):
            machine.job(f"pre-{major}", "pre_upgrade", **target(major))
    assert machine.status() == "HEALTHY"
    assert rows(machine) == 1000


def test_a_volume_that_takes_no_notes_is_told_of_and_the_database_serves_on(make_machine: Make) -> None:
    machine = made(make_machine)
    state = machine.volume / "instar"
    with connect(machine, "root", "secret-root") as client:
        client.execute(f"COPY (SELECT 1) TO PROGRAM 'chmod 500 {state}'")
    with pytest.raises(InstarError, match="Permission denied"):
        machine.job("pre", "pre_upgrade", **target(18))
    assert machine.status() == "HEALTHY"
    machine.job("start", "start")
    assert machine.status() == "HEALTHY"


def test_tablespace_on_the_volume_crosses_and_the_old_part_of_it_goes(make_machine: Make) -> None:
    old = made(make_machine)
    tablespace(old, f"{old.volume}/space")
    info = leave(old, 18)
    new = make_machine(18, before=old, older=(17,))
    new.arrive("post", upgrade_info=info)
    assert new.job("settle", "settle") == {"removed": ["17"]}
    assert rows(new) == 1000
    assert [path.name[:5] for path in (new.volume / "space").iterdir()] == ["PG_18"]


def test_conversion_of_a_tablespace_is_repeated_after_a_crash(make_machine: Make) -> None:
    old = made(make_machine)
    tablespace(old, f"{old.volume}/space")
    info = leave(old, 18)
    new = make_machine(18, before=old, older=(17,))
    new.start_job("post", "post_upgrade", upgrade_info=info)
    wait_for(lambda: any((new.volume / "space").glob("PG_18_*")), "the new part of the tablespace")
    new.power_off()
    new.boot()
    new.arrive("post", upgrade_info=info)
    assert rows(new) == 1000


def test_settle_keeps_an_old_data_directory_that_a_tablespace_lies_in(make_machine: Make) -> None:
    machine = made(make_machine, 18)
    remains = machine.volume / "postgresql/17.old"
    tablespace(machine, f"{remains}/space")
    with pytest.raises(GuestError, match="tablespace extra") as kept:
        machine.job("settle", "settle")
    assert "SET TABLESPACE" in kept.value.body.remedy
    assert rows(machine) == 1000


@pytest.mark.parametrize("hook", ["check_upgrade", "pre_upgrade"])
def test_request_that_was_meant_for_another_image_is_refused(make_machine: Make, hook: str) -> None:
    machine = made(make_machine)
    ask: dict[str, Any] = {
        "check_upgrade": lambda params: machine.call("check_upgrade", **params),
        "pre_upgrade": lambda params: machine.job(
            params["source_image_digest"][-2:], "pre_upgrade", **params
        ),
    }
    with pytest.raises(GuestError, match="another image") as refused:
        ask[hook]({**target(17), "source_image_digest": "sha256:16"})
    assert "sha256:16" in refused.value.body.seen
    assert machine.status() == "HEALTHY"
    ask[hook]({**target(17), "source_image_digest": "sha256:postgresql-17"})


def test_what_is_there_is_read_while_nobody_can_change_it(make_machine: Make) -> None:
    old = made(make_machine)
    with connect(old, "root", "secret-root") as client:
        client.execute("ALTER SYSTEM SET work_mem = '7MB'")
        info = old.job("pre", "pre_upgrade", **target(17))
        with pytest.raises(psycopg.OperationalError):
            client.execute("SELECT 1")
    before = info["read_back"]
    assert before["settings"]["work_mem"] == "7MB"
    old.power_off()
    new = make_machine(17, before=old)
    after = new.arrive("post", upgrade_info=info)["read_back"]
    assert after == new.call("read_back")
    assert {**after, "data_directory": ""} == {**before, "data_directory": ""}
    assert (after["databases"], after["users"]) == (["app"], ["ann"])


def test_failure_behind_the_closed_gate_opens_it_again(make_machine: Make) -> None:
    machine = made(make_machine)
    (machine.volume / "instar/upgrade_info.json").mkdir(parents=True)
    with pytest.raises(Exception, match="unexpectedly"):
        machine.job("pre", "pre_upgrade", **target(17))
    assert machine.status() == "HEALTHY"
    connect(machine).close()


def test_setting_that_waits_for_a_restart_is_not_told_as_one_that_stands(make_machine: Make) -> None:
    machine = made(make_machine)
    with connect(machine, "root", "secret-root") as client:
        client.execute("ALTER SYSTEM SET max_connections = 55")
        client.execute("SELECT pg_reload_conf()")
    wait_for(lambda: "max_connections" not in machine.call("read_back")["settings"], "the reload")
    machine.job("restart", "restart")
    assert machine.call("read_back")["settings"]["max_connections"] == "55"


def test_settle_gives_way_to_the_next_job(make_machine: Make) -> None:
    old = made(make_machine)
    with connect(old, "root", "secret-root") as client:
        client.execute("CREATE TABLE held AS SELECT generate_series(1, 1000) AS n")
        client.execute("CREATE STATISTICS held_s ON n, (n + 1) FROM held")
    info = leave(old, 18)
    new = make_machine(18, before=old, older=(17,))
    new.arrive("post", upgrade_info=info)
    client = connect(new, "root", "secret-root")
    client.execute("BEGIN")
    client.execute("LOCK TABLE held IN ACCESS EXCLUSIVE MODE")
    new.start_job("settle", "settle")
    wait_for(lambda: "statistics" in new.get("/jobs/settle")["progress"]["message"], "statistics")
    new.job("restart", "restart")
    view = new.get("/jobs/settle")
    assert (view["state"], view["error"]["code"], view["error"]["retryable"]) == ("Failed", "cancelled", True)
    assert new.job("settle", "settle") == {"removed": ["17"]}


def test_long_conversion_moves(make_machine: Make) -> None:
    old = made(make_machine)
    info = leave(old, 18)
    new = make_machine(18, before=old, older=(17,))
    new.start_job("post", "post_upgrade", upgrade_info=info)
    seen: set[int] = set()

    def ended() -> bool:
        view = new.get("/jobs/post")
        if view["progress"]["message"] == "pg_upgrade":
            seen.add(view["progress"]["moved"])
        return view["ended_at"] is not None

    wait_for(ended, "the end of the conversion", 120)
    new.arrive("post", upgrade_info=info)
    assert new.status() == "HEALTHY"
    assert len(seen) > 1, "pg_upgrade ran without telling that anything moved"
