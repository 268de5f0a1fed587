"""What only MariaDB's daily hooks promise: accounts with hosts, option files, one server on its files."""

import contextlib
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from engines import DATABASE, MARIADB, Client, Refused
from guest_machine import USER, Machine, wait_for

from instar.wire.errors import BadRequest, GuestError

OURS = "etc/mysql/mariadb.conf.d"


@pytest.fixture
def machine(make_machine: Callable[..., Machine]) -> Machine:
    machine = make_machine(MARIADB)
    machine.job("create", "prepare", databases=[{"name": DATABASE}], users=[USER])
    return machine


def write(machine: Machine, name: str, text: str) -> None:
    """Write an option file as an administrator does."""
    path = machine.root / OURS / name
    path.write_text(text)
    path.chmod(0o644)


def servers(machine: Machine) -> list[int]:
    """Find the servers that work in the data directory."""
    return [pid for pid in machine.processes() if b"mariadbd" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_new_databases_hold_any_text_and_there_is_nothing_but_them(machine: Machine) -> None:
    machine.call("enable_root", password="secret-root")
    with machine.connect("root", "secret-root", "mysql") as root:
        assert root.value("SELECT @@character_set_server") == "utf8mb4"
        assert root.value("SELECT count(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'test'") == 0
        assert root.value("SELECT group_concat(User ORDER BY User) FROM mysql.global_priv") == (
            "ann,instar_admin,instar_probe,mariadb.sys,root"
        )


def test_passwords_reach_no_log_of_statements(machine: Machine) -> None:
    for name in ("general_log", "slow_query_log", "log_slow_admin_statements"):
        machine.job(name, "apply_configuration", configuration={name: True, "long_query_time": 0})
    logs = {"general_log": True, "slow_query_log": True, "long_query_time": 0, "log_bin": "changes"}
    machine.job("logs", "apply_configuration", configuration=logs)
    machine.job("restart", "restart")
    machine.call("create_users", users=[{"name": "bob", "password": "secret-bob"}])
    machine.call("update_user", name="bob", change={"password": "secret-new"})
    machine.call("enable_root", password="secret-root")
    with machine.connect("bob", "secret-new", "information_schema") as bob:
        bob.execute("SELECT 'a word that is logged'")
    data = machine.volume / "mysql/data"
    logged = b"".join(path.read_bytes() for path in data.iterdir() if path.is_file())
    assert b"a word that is logged" in logged
    assert not re.search(rb"secret-(bob|new|root)", logged)


def test_grant_on_a_name_is_for_that_name_only(machine: Machine) -> None:
    machine.call("create_databases", databases=[{"name": "a_b"}, {"name": "axb"}, {"name": "50%"}])
    machine.call("grant", name="ann", host="%", databases=["a_b", "50%"])
    with machine.connect(database="a_b") as ann:
        ann.execute("CREATE TABLE t (n int)")
    with pytest.raises(Refused), machine.connect(database="axb"):
        pass
    assert machine.call("list_users")["users"][0]["databases"] == ["50%", "a_b", DATABASE]


def test_grants_end_with_their_database(machine: Machine) -> None:
    machine.call("delete_database", name=DATABASE)
    machine.call("create_databases", databases=[{"name": DATABASE}])
    assert machine.call("list_users")["users"][0]["databases"] == []
    with pytest.raises(Refused), machine.connect():
        pass


def test_users_are_told_apart_by_their_hosts(machine: Machine) -> None:
    here = {"name": "bob", "host": "127.%", "password": "secret-bob", "databases": [DATABASE]}
    there = {"name": "bob", "host": "10.0.0.0/255.0.0.0", "password": "secret-there"}
    machine.call("create_users", users=[here, there])
    told = [(each["name"], each["host"], each["databases"]) for each in machine.call("list_users")["users"]]
    assert told == [
        ("ann", "%", [DATABASE]),
        ("bob", "10.0.0.0/255.0.0.0", []),
        ("bob", "127.%", [DATABASE]),
    ]
    machine.call("update_user", name="bob", host="127.%", change={"host": "10.%"})
    with pytest.raises(Refused), machine.connect("bob", "secret-bob"):
        pass
    with pytest.raises(BadRequest, match=r"users\.0\.host"):
        machine.call("create_users", users=[{**here, "host": "db.example.org"}])


def test_administrator_is_there_again_after_root_dropped_it(machine: Machine) -> None:
    machine.call("enable_root", password="secret-root")
    with machine.connect("root", "secret-root") as root:
        root.execute("DROP USER instar_admin@localhost, instar_probe@localhost")
    machine.job("restart", "restart")
    assert machine.status() == "HEALTHY"
    assert machine.call("list_databases")["databases"][0]["name"] == DATABASE


def test_administrator_gets_in_whatever_policies_are_set(machine: Machine) -> None:
    policies = {
        "read_only": True,
        "plugin_load_add": "simple_password_check",
        "sql_mode": "ANSI_QUOTES,NO_BACKSLASH_ESCAPES",
        "default_password_lifetime": 1,
        "max_user_connections": 1,
    }
    machine.job("policies", "apply_configuration", configuration=policies)
    machine.job("restart", "restart")
    assert machine.status() == "HEALTHY"
    machine.call("create_databases", databases=[{"name": r"odd\'"}])
    machine.call("grant", name="ann", databases=[r"odd\'"])
    assert machine.call("list_users")["users"][0]["databases"] == [DATABASE, r"odd\'"]
    with machine.connect() as ann:
        assert ann.value("SELECT @@strict_password_validation") == 1


def test_data_stay_on_the_volume_whatever_option_files_say(machine: Machine) -> None:
    elsewhere = machine.root / "var/log/mysql"
    options = ("innodb_log_group_home_dir", "innodb_undo_directory", "aria_log_dir_path", "datadir")
    write(machine, "60-mine.cnf", "\n".join(["[mysqld]", *(f"{each} = {elsewhere}" for each in options), ""]))
    machine.job("restart", "restart")
    assert [path.name for path in elsewhere.iterdir()] == ["error.log"]


def test_administrator_gets_in_when_clients_take_all_connections(machine: Machine) -> None:
    machine.job("few", "apply_configuration", configuration={"max_connections": 10})
    with contextlib.ExitStack() as clients:
        for _ in range(10):
            clients.enter_context(machine.connect())
        with pytest.raises(Refused), machine.connect():
            pass
        assert machine.status() == "HEALTHY"
        assert machine.call("list_users")["users"]


def test_administrators_files_go_above_what_follows_from_the_size(machine: Machine) -> None:
    pool = "SELECT @@innodb_buffer_pool_size DIV 1048576"
    with machine.connect() as client:
        assert client.value(pool) == 64
    write(machine, "60-mine.cnf", "[mysqld]\ninnodb-buffer-pool-size = 96M\n")
    write(machine, "zz-last.cnf", "[mariadb]\nwait-timeout = 300\nport = 1\n")
    machine.job("restart", "restart")
    told = machine.job("a", "apply_configuration", configuration={"wait_timeout": 1000})
    assert told == {"in_force": [], "pending_restart": [], "overridden": ["wait_timeout"]}
    with machine.connect() as client:
        assert client.value(pool) == 96
        assert client.value("SELECT @@global.wait_timeout") == 300


def test_time_zones_have_names(machine: Machine) -> None:
    with pytest.raises(BadRequest, match="time zone"):
        machine.job("none", "apply_configuration", configuration={"default_time_zone": "Middle/Earth"})
    told = machine.job("a", "apply_configuration", configuration={"default_time_zone": "Europe/Berlin"})
    assert told["pending_restart"] == ["default_time_zone"]
    machine.job("restart", "restart")
    with machine.connect() as client:
        assert client.value("SELECT @@global.time_zone") == "Europe/Berlin"
        assert str(client.value("SELECT CONVERT_TZ('2020-07-01', 'UTC', 'Asia/Tokyo')")) == (
            "2020-07-01 09:00:00"
        )


def test_creation_with_a_named_time_zone(make_machine: Callable[..., Machine]) -> None:
    machine = make_machine(MARIADB)
    wanted = {"default-time-zone": "Europe/Berlin"}
    machine.job("create", "prepare", databases=[{"name": DATABASE}], users=[USER], configuration=wanted)
    with machine.connect() as client:
        assert client.value("SELECT @@global.time_zone") == "Europe/Berlin"
    for pid in servers(machine):
        assert b"no-sync" not in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_loose_value_is_not_told_as_overridden(machine: Machine) -> None:
    told = machine.job("a", "apply_configuration", configuration={"loose_wait_timeout": 1000})
    assert told["overridden"] == []


def test_start_that_fails_names_the_option_and_the_keeper_tries_again(machine: Machine) -> None:
    write(machine, "60-mine.cnf", "[mysqld]\nno-such-thing = 1\n")
    with pytest.raises(GuestError, match="no_such_thing"):
        machine.job("restart", "restart")
    assert machine.status() == "FAILED"
    (machine.root / OURS / "60-mine.cnf").unlink()
    wait_for(lambda: machine.status() == "HEALTHY", "the database", seconds=60)


def test_values_of_a_server_that_does_not_start_can_be_mended(machine: Machine) -> None:
    machine.job("stop", "stop")
    (machine.root / OURS / "99-instar.cnf").write_text("[mysqld]\ninnodb_page_size = 8k\n")
    with pytest.raises(GuestError, match="did not start"):
        machine.job("start", "start")
    with pytest.raises(GuestError, match="did not start"):
        machine.job("same", "apply_configuration", configuration={"innodb_page_size": "8k"})
    told = machine.job("other", "apply_configuration", configuration={"back_log": 77})
    assert told["in_force"] == ["back_log", "innodb_page_size"]
    assert machine.status() == "HEALTHY"


def test_one_server_works_in_the_data_directory_ever(machine: Machine) -> None:
    before = machine.engine.server(machine)
    machine.kill_agent()
    for path in machine.root.rglob("database.pid"):
        path.unlink()
    machine.boot()
    wait_for(lambda: machine.status() == "HEALTHY", "the database")
    assert len(servers(machine)) == 1
    assert servers(machine) != [before]


def test_creation_that_was_cut_short_is_begun_again(make_machine: Callable[..., Machine]) -> None:
    machine = make_machine(MARIADB)
    wanted = {"databases": [{"name": DATABASE}], "users": [USER], "root_password": "secret-root"}
    for number, place in enumerate(("mysql/data.new/ibdata1", "mysql/data.new/app", "mysql/data/app")):
        machine.start_job(f"create-{number}", "prepare", **wanted)
        wait_for((machine.volume / place).exists, place)
        machine.kill_agent()
        machine.boot()
    machine.job("create", "prepare", **wanted)
    assert machine.status() == "HEALTHY"
    with machine.connect("root", "secret-root") as root:
        root.execute("CREATE TABLE t (n int)")


def test_files_of_a_newer_version_are_left_alone(machine: Machine) -> None:
    machine.job("stop", "stop")
    (machine.volume / "mysql/opened_by").write_text("99.1.2-MariaDB")
    with pytest.raises(GuestError, match=r"99\.1\.2"):
        machine.job("start", "start")
    assert servers(machine) == []


def test_killed_server_comes_back_with_what_was_committed(machine: Machine) -> None:
    with machine.connect() as client:
        fill(client)
        os.kill(machine.engine.server(machine), signal.SIGKILL)
    wait_for(lambda: machine.status() == "HEALTHY", "the database")
    with machine.connect() as client:
        assert client.value("SELECT count(*) FROM t") == 100


def fill(client: Client) -> None:
    client.execute("CREATE TABLE t (n int)")
    client.execute("INSERT INTO t SELECT seq FROM seq_1_to_100")
