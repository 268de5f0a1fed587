"""New values for PostgreSQL in particular: libraries, values refused together, ALTER SYSTEM."""

from collections.abc import Callable
from typing import Any

import pytest
from guest_machine import DATABASE, USER, Machine, connect, each_major, wait_for

from instar.wire.errors import GuestError


@pytest.fixture(params=each_major(17, 18))
def machine(request: pytest.FixtureRequest, make_machine: Callable[..., Machine]) -> Machine:
    machine = make_machine(request.param)
    machine.job("create", "prepare", databases=[{"name": DATABASE}], users=[USER])
    return machine


def apply(machine: Machine, name: str, **values: Any) -> dict[str, Any]:
    return machine.job(name, "apply_configuration", configuration=values)


def shown(machine: Machine, parameter: str) -> str:
    with connect(machine) as client:
        row = client.execute(f"SHOW {parameter}").fetchone()
        assert row is not None
        return str(row[0])


def test_what_alter_system_sets_goes_first_and_is_told(machine: Machine) -> None:
    machine.call("enable_root", password="secret-root")
    with connect(machine, "root", "secret-root") as client:
        client.execute("ALTER SYSTEM SET work_mem = '9MB'")
    assert apply(machine, "a", work_mem="7MB")["overridden"] == ["work_mem"]
    wait_for(lambda: shown(machine, "work_mem") == "9MB", "the value that goes first")


def test_libraries_that_are_there_are_taken(machine: Machine) -> None:
    told = apply(machine, "a", shared_preload_libraries="pg_stat_statements,auto_explain")
    assert told["pending_restart"] == ["shared_preload_libraries"]
    machine.job("restart", "restart")
    assert machine.status() == "HEALTHY"


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"wal_level": "minimal"}, "max_wal_senders"),
        ({"wal_level": "minimal", "max_wal_senders": 0, "archive_mode": True}, "archive_mode"),
        ({"max_connections": 4, "superuser_reserved_connections": 4}, "max_connections"),
    ],
)
def test_values_that_are_refused_together_are_named_and_nothing_changes(
    machine: Machine, values: dict[str, Any], named: str
) -> None:
    with pytest.raises(GuestError, match=named):
        apply(machine, "a", **values)
    assert machine.call("read_back")["settings"] == {}
    machine.job("restart", "restart")
    assert machine.status() == "HEALTHY"


def test_server_that_does_not_start_is_given_other_values(machine: Machine) -> None:
    machine.job("stop", "stop")
    ours = machine.volume / f"postgresql/{machine.major}/instar.conf"
    ours.write_text("wal_level = 'minimal'\n")
    with pytest.raises(GuestError, match="did not start"):
        machine.job("start", "start")
    with pytest.raises(GuestError, match="max_wal_senders"):
        apply(machine, "same", wal_level="minimal")
    assert apply(machine, "a", work_mem="7MB")["in_force"] == ["wal_level", "work_mem"]
    assert machine.status() == "HEALTHY"
    assert shown(machine, "work_mem") == "7MB"
