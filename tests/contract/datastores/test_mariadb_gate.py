"""Until `start`, nobody writes to a MariaDB that has moved to another image: not root, not after a crash."""

import os
import signal
from collections.abc import Callable

import pymysql
import pytest
from engines import DATABASE, MARIADB, Refused
from guest_machine import USER, Machine, wait_for

from instar.agent.datastores.mysql_family.gate import freeze
from instar.agent.datastores.mysql_family.sessions import Session


@pytest.fixture
def moved(make_machine: Callable[..., Machine]) -> Machine:
    """A machine whose database has arrived and waits for `start`."""
    old = make_machine(MARIADB)
    old.job("create", "prepare", databases=[{"name": DATABASE}], users=[USER], root_password="secret-root")
    with old.connect("root", "secret-root") as root:
        root.execute("CREATE TABLE t (n int)")
        root.execute("SET GLOBAL event_scheduler = ON")
        root.execute("CREATE EVENT e ON SCHEDULE EVERY 1 SECOND DO INSERT INTO t VALUES (1)")
        wait_for(lambda: root.value("SELECT count(*) FROM t"), "the event")
    (old.root / "etc/mysql/mariadb.conf.d/60-mine.cnf").write_text("[mysqld]\nevent_scheduler = ON\n")
    told = old.job("pre", "pre_upgrade", target_engine_version=MARIADB.version, target_image_digest="x")
    old.power_off()
    new = make_machine(MARIADB, before=old)
    new.job("post", "post_upgrade", upgrade_info=told)
    return new


def nobody_gets_in(machine: Machine) -> None:
    for user in ("root", "ann"):
        with pytest.raises(Refused, match="Connection refused"), machine.connect(user, f"secret-{user}"):
            pass


def test_nobody_gets_in_before_start(moved: Machine) -> None:
    nobody_gets_in(moved)
    assert moved.status() == "SHUTDOWN"
    before = moved.engine.server(moved)
    moved.kill_agent()
    nobody_gets_in(moved)
    moved.boot()
    assert moved.status() == "SHUTDOWN"
    assert moved.engine.server(moved) == before
    nobody_gets_in(moved)
    moved.job("start", "start")
    with moved.connect("root", "secret-root") as root:
        count = root.value("SELECT count(*) FROM t")
        wait_for(lambda: root.value("SELECT count(*) FROM t") > count, "the event")


def test_server_that_dies_before_start_lets_nobody_in(moved: Machine) -> None:
    os.kill(moved.engine.server(moved), signal.SIGKILL)
    wait_for(lambda: not moved.engine.server(moved), "its end")
    assert moved.status() == "SHUTDOWN"
    nobody_gets_in(moved)
    moved.power_off()
    moved.boot()
    assert moved.status() == "SHUTDOWN"
    nobody_gets_in(moved)
    moved.job("start", "start")
    with moved.connect() as ann:
        assert ann.value("SELECT 1") == 1


@pytest.mark.parametrize("at_commit", [0, 2])
def test_what_was_acknowledged_before_the_freeze_outlasts_the_server(
    make_machine: Callable[..., Machine], at_commit: int
) -> None:
    machine = make_machine(MARIADB)
    machine.job("create", "prepare", databases=[{"name": DATABASE}], root_password="secret-root")
    connection = pymysql.connect(
        host=machine.address, user="root", password="secret-root", database=DATABASE, autocommit=True
    )
    root = Session(connection, daemon=None)  # nothing here asks for it
    root.execute("CREATE TABLE t (n int)")
    for name, value in (("flush_log_at_trx_commit", at_commit), ("flush_log_at_timeout", 2000)):
        root.execute(f"SET GLOBAL innodb_{name} = {value}")
    root.execute("INSERT INTO t VALUES (1)")
    freeze(root)
    assert root.value("SELECT @@GLOBAL.innodb_flush_log_at_trx_commit") == at_commit
    os.kill(machine.engine.server(machine), signal.SIGKILL)
    wait_for(lambda: not machine.engine.server(machine), "its end")
    machine.job("restart", "restart")
    with machine.connect("root", "secret-root") as client:
        assert client.value("SELECT count(*) FROM t") == 1
