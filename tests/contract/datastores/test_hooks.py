"""What every datastore's hooks must do, tried on real databases through a real agent."""

import os
import re
import signal
from collections.abc import Callable

import pytest
from engines import DATABASE, Refused, every_engine
from guest_machine import USER, Machine, wait_for

from instar.wire.errors import BadRequest, NotFound


@pytest.fixture(params=every_engine())
def machine(request: pytest.FixtureRequest, make_machine: Callable[..., Machine]) -> Machine:
    machine = make_machine(request.param)
    assert machine.status() == "NEW"
    machine.job("create", "prepare", databases=[{"name": DATABASE}], users=[USER])
    return machine


def test_prepared_database_serves_its_users(machine: Machine) -> None:
    assert machine.status() == "HEALTHY"
    told = machine.call("read_back")
    assert told["engine_version"] == machine.engine.version
    assert told["databases"] == [DATABASE]
    assert told["users"] == [machine.engine.account("ann")]
    with machine.connect() as client:
        client.execute("CREATE TABLE t (n int)")
        client.execute("INSERT INTO t VALUES (1)")
        assert client.value("SELECT count(*) FROM t") == 1


def test_nobody_is_let_in_by_mistake(machine: Machine) -> None:
    for user, password, database in [
        ("ann", "wrong", DATABASE),
        *(("ann", "secret-ann", database) for database in machine.engine.own_databases[:2]),
        ("instar_admin", "", machine.engine.own_databases[0]),
        ("instar_probe", "", DATABASE),
        ("root", "", machine.engine.own_databases[0]),
        ("", "", DATABASE),
    ]:
        with pytest.raises(Refused), machine.connect(user, password, database):
            pass


def test_passwords_are_written_nowhere(machine: Machine) -> None:
    machine.call("create_users", users=[{"name": "bob", "password": "secret-bob"}])
    machine.call("enable_root", password="secret-root")
    written = [path for path in (*machine.root.rglob("*"), *machine.volume.rglob("*")) if path.is_file()]
    for path in [*written, machine.directory / "console.log"]:
        if not path.is_relative_to(machine.root / "usr"):
            assert not re.search(rb"secret-(ann|bob|root)", path.read_bytes()), path


def test_prepare_may_be_repeated(machine: Machine) -> None:
    with machine.connect() as client:
        client.execute("CREATE TABLE t AS SELECT 1 AS n")
    machine.job("create-again", "prepare", databases=[{"name": DATABASE}, {"name": "more"}], users=[USER])
    with machine.connect() as client:
        assert client.value("SELECT n FROM t") == 1
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
    machine.call("create_databases", databases=[{"name": "b"}, {"name": odd, **machine.engine.text}])
    assert [each["name"] for each in machine.call("list_databases")["databases"]] == [DATABASE, "b", odd]
    with pytest.raises(BadRequest, match=r"databases\.0\.name"):
        machine.call("create_databases", databases=[{"name": "b"}])
    with pytest.raises(BadRequest, match=r"databases\.0"):
        machine.call("create_databases", databases=[{"name": "c", "collate": "no such"}])
    with machine.connect():
        machine.call("delete_database", name=DATABASE)
    for name in (DATABASE, *machine.engine.own_databases):
        with pytest.raises(NotFound):
            machine.call("delete_database", name=name)


def test_users_and_grants(machine: Machine) -> None:
    machine.call("create_databases", databases=[{"name": "b"}])
    machine.call("create_users", users=[{"name": "bob", "password": "secret-bob"}])
    with pytest.raises(Refused), machine.connect("bob", "secret-bob", "b"):
        pass
    machine.call("grant", name="bob", databases=["b"])
    machine.call("grant", name="bob", databases=["b"])
    with machine.connect("bob", "secret-bob", "b") as client:
        client.execute("CREATE TABLE mine (n int)")
    users = machine.call("list_users")["users"]
    assert [(each["name"], each["databases"], each["password"]) for each in users] == [
        ("ann", [DATABASE], None),
        ("bob", ["b"], None),
    ]
    machine.call("revoke", name="bob", database="b")
    with pytest.raises(Refused), machine.connect("bob", "secret-bob", "b"):
        pass
    with pytest.raises(NotFound):
        machine.call("revoke", name="bob", database="b")


def test_user_changes(machine: Machine) -> None:
    machine.call("update_user", name="ann", change={"name": "eve"})
    reach(machine, "eve")
    machine.call("update_user", name="eve", change={"password": "secret-new"})
    reach(machine, "eve", "secret-new")
    with pytest.raises(NotFound):
        machine.call("update_user", name="ann", change={"name": "x"})
    with pytest.raises(BadRequest, match="exists"):
        machine.call("create_users", users=[{"name": "eve", "password": "p"}])
    with pytest.raises(BadRequest, match="no database"):
        machine.call("create_users", users=[{"name": "x", "password": "p", "databases": ["none"]}])


def test_root(machine: Machine) -> None:
    assert machine.call("root_enabled") == {"enabled": False}
    with pytest.raises(NotFound):
        machine.call("disable_root")
    assert machine.call("enable_root", password="secret-root")["name"] == "root"
    assert machine.call("root_enabled") == {"enabled": True}
    with machine.connect("root", "secret-root") as client:
        client.execute("CREATE DATABASE made_by_root")
    machine.call("disable_root")
    assert machine.call("root_enabled") == {"enabled": False}
    with pytest.raises(Refused), machine.connect("root", "secret-root"):
        pass


def test_database_that_died_comes_back(machine: Machine) -> None:
    before = machine.engine.server(machine)
    os.kill(before, signal.SIGKILL)
    wait_for(
        lambda: machine.status() == "HEALTHY" and machine.engine.server(machine) != before, "the database"
    )
    reach(machine)


def test_database_outlives_its_agent(machine: Machine) -> None:
    before, boot = machine.engine.server(machine), machine.get("/")["boot_id"]
    with machine.connect() as client:
        machine.kill_agent()
        client.execute("SELECT 1")
        machine.boot()
        client.execute("SELECT 1")
    assert (machine.engine.server(machine), machine.get("/")["boot_id"]) == (before, boot)


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


def reach(machine: Machine, user: str = "ann", password: str = "secret-ann") -> None:
    with machine.connect(user, password) as client:
        assert client.value("SELECT 1") == 1
