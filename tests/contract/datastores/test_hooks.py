"""What every datastore's hooks must do, tried on real databases through a real agent."""

import os
import signal
from collections.abc import Callable

import psycopg
import pytest
from guest_machine import DATABASE, USER, Machine, connect, each_major, engine_version, wait_for

from instar.wire.errors import BadRequest, NotFound


@pytest.fixture(params=each_major(17, 18))
def machine(request: pytest.FixtureRequest, make_machine: Callable[..., Machine]) -> Machine:
    machine = make_machine(request.param)
    assert machine.status() == "NEW"
    machine.job("create", "prepare", databases=[{"name": DATABASE}], users=[USER])
    return machine


def test_prepared_database_serves_its_users(machine: Machine) -> None:
    assert machine.status() == "HEALTHY"
    told = machine.call("read_back")
    assert told["engine_version"] == engine_version(machine.major)
    assert told["databases"] == [DATABASE]
    assert told["users"] == ["ann"]
    with connect(machine) as client:
        client.execute("CREATE TABLE t (n int)")
        assert client.execute("SHOW data_checksums").fetchone() == ("on",)
        assert client.execute("SHOW listen_addresses").fetchone() == (machine.address,)


def test_nobody_is_let_in_by_mistake(machine: Machine) -> None:
    for user, password, database in [
        ("ann", "wrong", DATABASE),
        ("ann", "secret-ann", "postgres"),
        ("ann", "secret-ann", "template1"),
        ("instar_admin", "", "postgres"),
        ("root", "", "postgres"),
    ]:
        with pytest.raises(psycopg.OperationalError):
            connect(machine, user, password, database)


def test_passwords_are_written_nowhere(machine: Machine) -> None:
    machine.call("create_users", users=[{"name": "bob", "password": "secret-bob"}])
    machine.call("enable_root", password="secret-root")
    written = [path for path in (*machine.root.rglob("*"), *machine.volume.rglob("*")) if path.is_file()]
    for path in [*written, machine.directory / "console.log"]:
        if "usr/lib/postgresql" not in str(path):
            assert b"secret-" not in path.read_bytes(), path


def test_prepare_may_be_repeated(machine: Machine) -> None:
    with connect(machine) as client:
        client.execute("CREATE TABLE t AS SELECT 1 AS n")
    machine.job("create-again", "prepare", databases=[{"name": DATABASE}, {"name": "more"}], users=[USER])
    with connect(machine) as client:
        assert client.execute("SELECT n FROM t").fetchone() == (1,)
    assert [each["name"] for each in machine.call("list_databases")["databases"]] == [DATABASE, "more"]


def test_stop_start_restart(machine: Machine) -> None:
    machine.job("s1", "stop")
    assert machine.status() == "SHUTDOWN"
    machine.job("s2", "stop")
    machine.job("s3", "start")
    machine.job("s4", "start")
    assert machine.status() == "HEALTHY"
    machine.job("s5", "restart")
    assert machine.status() == "HEALTHY"


def test_databases(machine: Machine) -> None:
    odd = 'odd "name"; DROP TABLE t; --'
    machine.call(
        "create_databases", databases=[{"name": "b"}, {"name": odd, "character_set": "UTF8", "collate": "C"}]
    )
    assert [each["name"] for each in machine.call("list_databases")["databases"]] == [DATABASE, "b", odd]
    with pytest.raises(BadRequest, match=r"databases\.0\.name"):
        machine.call("create_databases", databases=[{"name": "b"}])
    with pytest.raises(BadRequest, match=r"databases\.0"):
        machine.call("create_databases", databases=[{"name": "c", "collate": "no such"}])
    with connect(machine):
        machine.call("delete_database", name=DATABASE)
    for name in (DATABASE, "postgres", "template0"):
        with pytest.raises(NotFound):
            machine.call("delete_database", name=name)


def test_users_and_grants(machine: Machine) -> None:
    machine.call("create_databases", databases=[{"name": "b"}])
    machine.call("create_users", users=[{"name": "bob", "password": "secret-bob"}])
    with pytest.raises(psycopg.OperationalError, match="CONNECT"):
        connect(machine, "bob", "secret-bob", "b")
    machine.call("grant", name="bob", databases=["b"])
    machine.call("grant", name="bob", databases=["b"])
    with connect(machine, "bob", "secret-bob", "b") as client:
        client.execute("CREATE TABLE mine (n int)")
    users = machine.call("list_users")["users"]
    assert [(each["name"], each["databases"], each["password"]) for each in users] == [
        ("ann", [DATABASE], None),
        ("bob", ["b"], None),
    ]
    machine.call("revoke", name="bob", database="b")
    with pytest.raises(psycopg.OperationalError, match="CONNECT"):
        connect(machine, "bob", "secret-bob", "b")
    with pytest.raises(NotFound):
        machine.call("revoke", name="bob", database="b")


def test_user_changes(machine: Machine) -> None:
    machine.call("update_user", name="ann", change={"name": "eve"})
    connect(machine, "eve").close()
    machine.call("update_user", name="eve", change={"password": "secret-new"})
    connect(machine, "eve", "secret-new").close()
    with pytest.raises(NotFound):
        machine.call("update_user", name="ann", change={"name": "x"})
    with pytest.raises(BadRequest, match="exists"):
        machine.call("create_users", users=[{"name": "eve", "password": "p"}])
    with pytest.raises(BadRequest, match="no database"):
        machine.call("create_users", users=[{"name": "x", "password": "p", "databases": ["none"]}])


def test_dropped_user_leaves_its_data_and_no_powers(machine: Machine) -> None:
    with connect(machine) as client:
        client.execute("CREATE TABLE kept AS SELECT 7 AS n")
        client.execute("CREATE FUNCTION whoami() RETURNS name SECURITY DEFINER RETURN current_user")
    machine.call("delete_user", name="ann")
    assert machine.call("list_users")["users"] == []
    with pytest.raises(NotFound):
        machine.call("delete_user", name="instar_admin")
    machine.call("enable_root", password="secret-root")
    with connect(machine, "root", "secret-root") as client:
        assert client.execute("SELECT n FROM kept").fetchone() == (7,)
        heir = client.execute(
            "SELECT rolsuper, rolcanlogin FROM pg_roles WHERE rolname = whoami()"
        ).fetchone()
        assert heir == (False, False)


def test_root(machine: Machine) -> None:
    assert machine.call("root_enabled") == {"enabled": False}
    with pytest.raises(NotFound):
        machine.call("disable_root")
    assert machine.call("enable_root", password="secret-root")["name"] == "root"
    assert machine.call("root_enabled") == {"enabled": True}
    with connect(machine, "root", "secret-root") as client:
        assert client.execute("SHOW is_superuser").fetchone() == ("on",)
    machine.call("disable_root")
    assert machine.call("root_enabled") == {"enabled": False}
    with pytest.raises(psycopg.OperationalError):
        connect(machine, "root", "secret-root")


def test_database_that_died_comes_back(machine: Machine) -> None:
    before = postmaster(machine)
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: machine.status() == "HEALTHY" and postmaster(machine) != before, "the database")
    connect(machine).close()


def test_database_outlives_its_agent(machine: Machine) -> None:
    before, boot = postmaster(machine), machine.get("/")["boot_id"]
    with connect(machine) as client:
        machine.kill_agent()
        client.execute("SELECT 1")
        machine.boot()
        client.execute("SELECT 1")
    assert (postmaster(machine), machine.get("/")["boot_id"]) == (before, boot)


def test_reboot_brings_the_database_back_unless_it_was_stopped(machine: Machine) -> None:
    boot = machine.get("/")["boot_id"]
    machine.power_off()
    machine.boot()
    assert machine.get("/")["boot_id"] != boot
    wait_for(lambda: machine.status() == "HEALTHY", "the database")
    machine.job("stop", "stop")
    machine.power_off()
    machine.boot()
    assert machine.status() == "SHUTDOWN"


def test_sigterm_stops_the_database_cleanly(machine: Machine) -> None:
    assert machine.shut_down() == 0
    assert machine.processes() == []
    machine.boot()
    wait_for(lambda: machine.status() == "HEALTHY", "the database")


def postmaster(machine: Machine) -> int:
    path = machine.volume / f"postgresql/{machine.major}/postmaster.pid"
    return int(path.read_text().split()[0]) if path.exists() else 0
