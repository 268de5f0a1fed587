"""Probes, and what else must hold before clients are let in on the new image."""

from collections.abc import Callable

import psycopg
import pytest
from guest_machine import DATABASE, Machine, connect
from test_crossing import leave, made, target

from instar.wire.errors import GuestError, Vetoed

Make = Callable[..., Machine]


def probe(name: str, sql: str, expected: str, policy: str = "block") -> dict[str, str]:
    return {"name": name, "database": DATABASE, "sql": sql, "expected": expected, "policy": policy}


COUNT = probe("orders", "SELECT count(*) FROM orders", "3")


def with_orders(machine: Machine) -> Machine:
    with connect(machine) as client:
        client.execute("CREATE TABLE orders AS SELECT generate_series(1, 3) AS n")
    return machine


def verdicts(machine: Machine, *probes: dict[str, str]) -> dict[str, tuple[bool, str]]:
    found = machine.call("run_probes", probes=list(probes))["results"]
    return {each["name"]: (each["passed"], each["seen"]) for each in found}


def test_answers_are_compared_as_text(make_machine: Make) -> None:
    machine = with_orders(made(make_machine, 18))
    told = verdicts(
        machine,
        COUNT,
        probe("true", "SELECT n > 0, 'unseen' FROM orders", "t"),
        probe("nothing", "SELECT n FROM orders WHERE n > 7", ""),
        probe("null", "SELECT NULL", ""),
        probe("percent", "SELECT 7 % 4", "3"),
        probe("wrong", "SELECT repeat('x', 999)", "y"),
        probe("error", "SELECT * FROM missing", ""),
        probe("writes", "DELETE FROM orders RETURNING n", "1"),
        probe("two", "COMMIT; DELETE FROM orders", ""),
        {**probe("nowhere", "SELECT 1", "1"), "database": "none"},
    )
    assert told["orders"] == (True, "3")
    assert [told[name] for name in ("true", "nothing", "null", "percent")] == [
        (True, "t"),
        (True, ""),
        (True, ""),
        (True, "3"),
    ]
    assert told["wrong"] == (False, "x" * 200)
    for name, seen in {
        "error": "missing",
        "writes": "read-only",
        "two": "multiple commands",
        "nowhere": "none",
    }.items():
        assert not told[name][0]
        assert seen in told[name][1]
    assert verdicts(machine, COUNT)["orders"] == (True, "3")


def test_probe_that_takes_too_long_has_not_passed(make_machine: Make) -> None:
    told = verdicts(made(make_machine), probe("slow", "SELECT pg_sleep(60)", ""))
    assert not told["slow"][0]
    assert "timeout" in told["slow"][1]


def test_a_view_that_a_probe_reads_gains_its_owner_nothing(make_machine: Make) -> None:
    machine = made(make_machine)
    with connect(machine) as client:
        client.execute("""
            CREATE FUNCTION trap() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
                PERFORM set_config('role', 'none', false);
                COPY (SELECT 1) TO PROGRAM 'true';
                RETURN 1;
            END $$""")
        client.execute("CREATE VIEW orders AS SELECT trap() AS n, session_user AS who")
    told = verdicts(
        machine,
        probe("trap", "SELECT n FROM orders", "1"),
        probe("power", "SELECT rolsuper FROM pg_roles WHERE rolname = session_user", "f"),
    )
    assert not told["trap"][0]
    assert "COPY" in told["trap"][1]
    assert told["power"] == (True, "f")
    assert [user["name"] for user in machine.call("list_users")["users"]] == ["ann"]
    assert machine.call("read_back")["users"] == ["ann"]
    with pytest.raises(psycopg.OperationalError, match="reject"):
        connect(machine, "instar_probe", "")


def test_first_row_of_many_is_an_answer(make_machine: Make) -> None:
    told = verdicts(made(make_machine), probe("many", "SELECT generate_series(1, 50000000)", "1"))
    assert told["many"] == (True, "1")


def test_probes_are_part_of_the_check(make_machine: Make) -> None:
    machine = made(make_machine)
    lax = {**COUNT, "name": "lax", "policy": "warn"}
    checked = machine.call("check_upgrade", **target(18), probes=[COUNT, lax])
    assert [(each["check"], each["severity"]) for each in checked["findings"]] == [
        ("probe", "block"),
        ("probe", "warn"),
    ]
    assert [each["passed"] for each in checked["facts"]["probes"]] == [False, False]
    with pytest.raises(Vetoed, match="probe orders"):
        machine.job("pre", "pre_upgrade", **target(18), probes=[COUNT, lax])
    with_orders(machine)
    assert machine.call("check_upgrade", **target(18), probes=[COUNT, lax])["findings"] == []


@pytest.mark.parametrize("major", [17, 18])
def test_failing_probe_keeps_clients_out_until_a_resume(make_machine: Make, major: int) -> None:
    old = with_orders(made(make_machine))
    info = leave(old, major)
    new = make_machine(major, before=old, older=(17,) if major == 18 else ())
    strict = {**COUNT, "expected": "4"}
    with pytest.raises(GuestError, match="Clients were not let in: probe orders: expected '4', seen '3'"):
        new.arrive("post", upgrade_info=info, probes=[strict])
    with pytest.raises(psycopg.OperationalError):
        connect(new)
    lax = {**strict, "policy": "warn"}
    told = new.arrive("post-again", upgrade_info=info, probes=[COUNT, lax])
    assert [each["passed"] for each in told["probes"]] == [True, False]
    connect(new).close()


def behind_the_gate(machine: Machine, statement: str, database: str = DATABASE) -> None:
    """Do as something would that loses data between the images."""
    machine.job("open", "start")
    machine.call("enable_root", password="secret-root")
    with connect(machine, "root", "secret-root", database) as client:
        client.execute(statement)
    (machine.volume / "instar/desired").write_text("upgrading")
    machine.power_off()


@pytest.mark.parametrize(
    ("loss", "told"),
    [
        ("DROP TABLE orders", "app/tables: 1 before, 0 now"),
        ("DROP ROLE bob", "user bob is missing"),
        ("DROP EXTENSION pg_trgm", "extension app/pg_trgm is missing"),
        ("ALTER SYSTEM RESET work_mem", "work_mem was '7MB' and is not set any more"),
        ("ALTER SYSTEM SET work_mem = '8MB'", "work_mem was '7MB' and is '8MB' now"),
    ],
)
def test_what_is_missing_keeps_clients_out(make_machine: Make, loss: str, told: str) -> None:
    old = with_orders(made(make_machine))
    with connect(old, "root", "secret-root") as client:
        client.execute("CREATE ROLE bob LOGIN")
        client.execute("CREATE EXTENSION pg_trgm")
        client.execute("ALTER SYSTEM SET work_mem = '7MB'")
        client.execute("SELECT pg_reload_conf()")
    info = leave(old, 17)
    behind_the_gate(make_machine(17, before=old), loss)
    new = make_machine(17, before=old)
    with pytest.raises(GuestError) as refused:
        new.arrive("post", upgrade_info=info)
    assert refused.value.body.brief == f"Clients were not let in: {told}"[:120]
    assert refused.value.body.findings
    with pytest.raises(psycopg.OperationalError):
        connect(new)
    if "work_mem" in loss:
        resumed = new.arrive("resumed", upgrade_info=info, resumed=True)
        assert [each["severity"] for each in resumed["findings"]] == ["warn"]
        connect(new).close()


@pytest.mark.parametrize("major", [17, 18])
def test_values_given_for_the_target_take_the_place_of_the_old_ones(make_machine: Make, major: int) -> None:
    old = made(make_machine)
    old.job("set", "apply_configuration", configuration={"work_mem": "7MB", "lock_timeout": "9s"})
    info = leave(old, major)
    new = make_machine(major, before=old, older=(17,) if major == 18 else ())
    given = {"work_mem": "6MB", "max_connections": 40}
    told = new.arrive("post", upgrade_info=info, configuration=given)
    assert told["read_back"]["settings"] == {"work_mem": "6MB", "max_connections": "40"}
    again = new.arrive("post-again", upgrade_info=info, configuration={"work_mem": "5MB"})
    assert again["read_back"]["settings"] == {"work_mem": "5MB"}


def test_value_that_only_the_old_version_knows_may_be_left_behind(make_machine: Make) -> None:
    old = made(make_machine)
    old.job("set", "apply_configuration", configuration={"work_mem": "7MB"})
    info = leave(old, 18)
    (old.volume / "instar/saved/instar.conf").write_text("gone_in_18 = '1'\n")
    new = make_machine(18, before=old, older=(17,))
    told = new.arrive("post", upgrade_info=info, configuration={"work_mem": "7MB"})
    assert told["read_back"]["settings"] == {"work_mem": "7MB"}


def test_catalogue_counts_what_is_the_users(make_machine: Make) -> None:
    machine = with_orders(made(make_machine))
    with connect(machine, "root", "secret-root") as client:
        client.execute("CREATE EXTENSION pg_stat_statements")
        client.execute("CREATE TABLE more (n int PRIMARY KEY, s serial NOT NULL CHECK (s > 0))")
        client.execute("CREATE TEMPORARY TABLE passing (n int)")
        client.execute("CREATE VIEW seen AS SELECT n FROM more")
        client.execute("CREATE TABLE theirs (n int PRIMARY KEY, m int CHECK (m > 0) UNIQUE)")
        client.execute("CREATE EXTENSION pg_trgm")
        client.execute("ALTER EXTENSION pg_trgm ADD TABLE theirs")
        client.execute("CREATE FUNCTION one() RETURNS int RETURN 1")
        found = machine.call("read_back")["catalog"]
    assert found == {
        "app/tables": 2,
        "app/indexes": 1,
        "app/sequences": 1,
        "app/views": 1,
        "app/functions": 1,
        "app/constraints": 2,
    }
