"""Until `start`, nobody writes to a MariaDB that has moved to another image: not root, not after a crash."""

import os
import signal
from collections.abc import Callable

import pytest
from engines import DATABASE, MARIADB, Refused
from guest_machine import USER, Machine, wait_for


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
