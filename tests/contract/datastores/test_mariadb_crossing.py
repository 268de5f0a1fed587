"""MariaDB's way from image to image: what crosses, what is refused, how it serves again after a failure."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from engines import DATABASE, MARIADB, Refused
from guest_machine import Machine, wait_for

from instar.wire.errors import GuestError, InstarError, Untouched, Vetoed

Make = Callable[..., Machine]

ANN = {"name": "ann", "password": "secret-ann", "host": "127.%", "databases": [DATABASE]}
BOB = {"name": "bob", "password": "secret-bob", "databases": []}
MINE = "etc/mysql/mariadb.conf.d/60-mine.cnf"


class Writer:
    """A client that writes rows, connects again by itself, and remembers what was acknowledged."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.acknowledged: list[int] = []
        self._ended = threading.Event()
        with machine.connect() as client:
            client.execute("CREATE TABLE written (n int PRIMARY KEY)")
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()
        self.writes_on()

    def _write(self) -> None:
        number = 0
        while not self._ended.is_set():
            try:
                with self.machine.connect() as client:
                    while not self._ended.wait(0.002):
                        number += 1
                        client.execute(f"INSERT INTO written VALUES ({number})")
                        self.acknowledged.append(number)
            except Refused:
                self._ended.wait(0.01)

    def writes_on(self) -> None:
        count = len(self.acknowledged)
        wait_for(lambda: len(self.acknowledged) > count + 5, "acknowledged writes")

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def lost(self) -> int:
        with self.machine.connect() as client:
            client.execute("CREATE TEMPORARY TABLE told (n int PRIMARY KEY)")
            client.execute("INSERT INTO told VALUES " + ",".join(f"({each})" for each in self.acknowledged))
            return int(client.value("SELECT count(*) FROM told WHERE n NOT IN (SELECT n FROM written)"))


@pytest.fixture
def old(make_machine: Make) -> Machine:
    machine = make_machine(MARIADB)
    machine.job(
        "create",
        "prepare",
        databases=[{"name": DATABASE}],
        users=[ANN, BOB],
        configuration={"max_connections": 77},
    )
    return machine


@pytest.fixture
def writer(old: Machine) -> Iterator[Writer]:
    found = Writer(old)
    yield found
    found.stop()


def target(version: str = "", **more: Any) -> dict[str, Any]:
    return {"target_engine_version": version or MARIADB.version, "target_image_digest": "sha256:x", **more}


def leave(machine: Machine, **params: Any) -> dict[str, Any]:
    """Carry out what comes before the swap; the old server is gone afterwards."""
    info = machine.job("pre", "pre_upgrade", **target(**params))
    assert machine.status() == "SHUTDOWN"
    machine.power_off()
    return info


def appear_older(machine: Machine, version: str = "10.6.18") -> None:
    """Make the data files look like those of an older series, in whose place this one comes."""
    (machine.volume / "mysql/opened_by").write_text(version)
    for marker in ("mysql_upgrade_info", "mariadb_upgrade_info"):
        (machine.volume / "mysql/data" / marker).unlink(missing_ok=True)
    (machine.volume / "mysql/data/mysql_upgrade_info").write_text(f"{version}-MariaDB")


def same(read_back: dict[str, Any]) -> dict[str, Any]:
    """Give what is to be the same on every root disk; each of these has a path of its own here."""
    return {name: value for name, value in read_back.items() if name != "data_directory"}


def configure(machine: Machine, text: str, name: str = MINE) -> None:
    path = machine.root / name
    path.write_text(text)
    path.chmod(0o644)


def test_upgrade_keeps_all_that_there_was(make_machine: Make, old: Machine, writer: Writer) -> None:
    configure(old, "[mysqld]\nmax_allowed_packet = 20M\noptimizer_switch = 'mrr=on'\n")
    old.job("restart", "restart")
    with old.connect() as client:
        client.execute("CREATE VIEW seen AS SELECT n FROM written")
        client.execute("CREATE TRIGGER made BEFORE INSERT ON written FOR EACH ROW SET NEW.n = NEW.n")
    before = old.call("read_back")
    assert before["settings"] == {
        "max_allowed_packet": str(20 << 20),
        "max_connections": "77",
        "optimizer_switch": "mrr=on",
    }
    checked = old.call("check_upgrade", **target())
    assert checked["findings"] == []
    assert checked["facts"]["data_bytes"] > 1 << 20
    info = leave(old)
    new = make_machine(MARIADB, before=old)
    assert new.status() == "SHUTDOWN"
    told = new.job("post", "post_upgrade", upgrade_info=info)
    assert new.status() == "SHUTDOWN"
    with pytest.raises(Refused):
        new.connect().__enter__()
    new.job("let-in", "start")
    writer.writes_on()
    assert new.job("settle", "settle") == {"removed": []}
    writer.stop()
    assert writer.lost() == 0
    assert told["findings"] == []
    assert told["converted_from"] is None
    after = new.call("read_back")
    assert same(after) == same(before)
    assert after["users"] == ["ann@127.%", "bob@%"]
    assert after["catalog"][f"{DATABASE}/triggers"] == 1
    assert (new.root / MINE).read_text() == (old.root / MINE).read_text()
    with new.connect() as client:
        assert client.value("SELECT @@max_allowed_packet") == 20 << 20


def test_option_that_the_target_does_not_know_blocks_and_the_database_serves_on(
    old: Machine, writer: Writer
) -> None:
    configure(old, "[mysqld]\nold-alter-table = COPY\nloose_max_tmp_tables = 3\n")
    known = ["max_connections", "collation_server", "bind_address"]
    found = old.call("check_upgrade", **target("11.8.6", target_parameters=known))["findings"]
    blocking = [finding for finding in found if finding["severity"] == "block"]
    assert len(blocking) == 1
    assert f"old_alter_table in {old.root / MINE}:2 is not known to MariaDB 11.8.6" in blocking[0]["seen"]
    assert "ALGORITHM=" in blocking[0]["remedy"]
    with pytest.raises(Vetoed, match="option"):
        old.job("pre", "pre_upgrade", **target("11.8.6", target_parameters=known))
    writer.writes_on()
    assert old.status() == "HEALTHY"
    ours = old.call("check_upgrade", **target("11.8.6", target_parameters=["collation_server"]))["findings"]
    remedies = [finding["remedy"] for finding in ours if "max_connections" in finding["seen"]]
    assert remedies == ["Take max_connections out of the instance's configuration."]


def test_everything_that_stands_in_the_way_is_told_at_once(old: Machine) -> None:
    with old.connect() as client:
        client.execute("CREATE TABLE t (a int PRIMARY KEY)")
        client.execute("CREATE TABLE fleeting (a int) ENGINE = MEMORY")
        client.execute("XA START 'left'")
        client.execute("INSERT INTO t VALUES (1)")
        client.execute("XA END 'left'")
        client.execute("XA PREPARE 'left'")
    secret = old.root / "etc/certificate.pem"
    secret.write_text("x")
    configure(
        old, f"[mysqld]\nssl_capath=/usr/share\ninit_connect={secret}\n[mariadb-10.11]\nopen_files_limit=99\n"
    )
    root = old.call("enable_root", password="secret-root")
    with old.connect(root["name"], "secret-root") as client:
        client.execute("SET GLOBAL max_error_count = 63")
    found = {each["check"]: each for each in old.call("check_upgrade", **target("10.6.1"))["findings"]}
    assert {name: each["severity"] for name, each in found.items()} == {
        "version": "block",
        "xa_transactions": "block",
        "memory_tables": "note",
        "option_group": "warn",
        "files": "warn",
        "variables": "warn",
    }
    assert "'left'" in found["xa_transactions"]["seen"]
    assert f"{DATABASE}.fleeting" in found["memory_tables"]["seen"]
    assert "open_files_limit in [mariadb-10.11]" in found["option_group"]["seen"]
    assert str(secret) in found["files"]["seen"]
    assert "max_error_count" in found["variables"]["seen"]
    with pytest.raises(Vetoed, match="xa_transactions"):
        old.job("pre", "pre_upgrade", **target())
    assert old.status() == "HEALTHY"


def test_probes_are_put_in_read_only_transactions(old: Machine, writer: Writer) -> None:
    def probe(sql: str, expected: str, policy: str = "warn") -> dict[str, str]:
        return {"name": sql, "database": DATABASE, "sql": sql, "expected": expected, "policy": policy}

    probes = [
        probe("SELECT 1.50", "1.50"),
        probe("SELECT n FROM written WHERE n < 0", ""),
        probe("SELECT NULL", ""),
        probe("SELECT _binary'x'", "x"),
        probe("INSERT INTO written VALUES (0)", "1"),
        probe("SELECT 1; SELECT 2", "1"),
        probe("SELECT SLEEP(60)", "0"),
    ]
    results = old.call("run_probes", probes=probes)["results"]
    assert [result["passed"] for result in results] == [True, True, True, True, False, False, False]
    assert old.call("check_upgrade", **target(probes=probes[:1]))["findings"] == []
    failing = probe("SELECT 1", "2", policy="block")
    with pytest.raises(Vetoed, match="probe"):
        old.job("vetoed", "pre_upgrade", **target(probes=[failing]))
    info = leave(old)
    assert info["read_back"]["users"]
    writer.stop()


def test_failed_probe_keeps_clients_out_until_somebody_decides(make_machine: Make, old: Machine) -> None:
    info = leave(old)
    new = make_machine(MARIADB, before=old)
    failing = {"name": "two", "database": DATABASE, "sql": "SELECT 1", "expected": "2"}
    with pytest.raises(GuestError, match="probe two") as caught:
        new.job("post", "post_upgrade", upgrade_info=info, probes=[failing])
    assert "Then resume" in caught.value.body.remedy
    with pytest.raises(Refused):
        new.connect().__enter__()
    new.arrive("again", upgrade_info=info, probes=[failing | {"expected": "1"}])
    with new.connect() as client:
        assert client.value("SELECT 1") == 1


def test_what_is_missing_afterwards_keeps_clients_out(make_machine: Make, old: Machine) -> None:
    info = leave(old)
    info["read_back"]["databases"].append("lost")
    info["read_back"]["catalog"]["privileges/'ann'@'127.%'"] = 1000
    info["read_back"]["settings"]["max_connections"] = "78"
    info["plugins"] = {"server_audit": "server_audit.so"}
    new = make_machine(MARIADB, before=old)
    with pytest.raises(GuestError, match="Clients were not let in") as caught:
        new.job("post", "post_upgrade", upgrade_info=info)
    seen = str(caught.value.body.seen)
    assert "database lost is missing" in seen
    assert "privileges/'ann'@'127.%': 1000 before" in seen
    assert "plug-in server_audit is missing" in seen
    assert "max_connections" not in seen, "the same file sets it: the version makes another value of it"
    assert new.status() == "SHUTDOWN"


def test_upgrade_of_an_older_series_brings_system_tables_up_to_date(make_machine: Make, old: Machine) -> None:
    with old.connect() as client:
        client.execute("CREATE TABLE t AS SELECT seq FROM seq_1_to_1000")
        client.execute("CREATE TABLE gone (n int)")
        client.execute("CREATE VIEW broken AS SELECT n FROM gone")
        client.execute("DROP TABLE gone")
    info = leave(old)
    appear_older(old)
    new = make_machine(MARIADB, before=old)
    told = new.arrive("post", upgrade_info=info)
    assert told["converted_from"] == "10.6.18-MariaDB"
    assert new.job("again", "post_upgrade", upgrade_info=info)["converted_from"] is None
    with new.connect() as client:
        assert client.value("SELECT count(*) FROM t") == 1000


def test_options_that_a_newer_series_refuses_leave_the_data_files_untouched(
    make_machine: Make, old: Machine
) -> None:
    configure(old, "[mysqld]\nloose_x = 1\n")
    info = leave(old)
    appear_older(old)
    mine = next(Path(old.volume).rglob("60-mine.cnf"))
    mine.write_text("[mysqld]\nno_such_option = 1\n")
    new = make_machine(MARIADB, before=old)
    with pytest.raises(Untouched, match="no_such_option"):
        new.job("post", "post_upgrade", upgrade_info=info)
    assert (new.volume / "mysql/opened_by").read_text() == "10.6.18"
    configure(new, "[mysqld]\n")
    new.arrive("resumed", upgrade_info=info, resumed=True)
    assert new.status() == "HEALTHY"


def test_arrival_is_repeated_after_the_agent_was_killed(make_machine: Make, old: Machine) -> None:
    info = leave(old)
    appear_older(old)
    new = make_machine(MARIADB, before=old)
    new.start_job("post", "post_upgrade", upgrade_info=info)
    wait_for(lambda: new.engine.server(new), "start of the server")
    new.kill_agent()
    new.boot()
    new.arrive("again", upgrade_info=info)
    with new.connect() as client:
        assert client.value("SELECT 1") == 1


def test_way_back_to_the_old_image(make_machine: Make, old: Machine, writer: Writer) -> None:
    configure(old, "[mysqld]\nmax_allowed_packet = 20M\n")
    old.job("restart", "restart")
    info = old.job("pre", "pre_upgrade", **target("11.8.6"))
    assert info["read_back"]["settings"]["max_allowed_packet"] == str(20 << 20)
    old.power_off()
    back = make_machine(MARIADB, before=old)
    told = back.job("back", "come_back", configuration=None)
    assert same(told["read_back"]) == same(info["read_back"])
    assert back.job("again", "come_back")["read_back"]["settings"]["max_connections"] == "77"
    writer.writes_on()
    writer.stop()
    assert writer.lost() == 0


def test_leaving_for_an_older_series_is_allowed_on_the_way_back(make_machine: Make, old: Machine) -> None:
    """The files are put back to a snapshot once the server is stopped: their version is no obstacle."""
    older = target("10.6.1")
    assert [each["check"] for each in old.call("check_upgrade", **older)["findings"]] == ["version"]
    assert old.call("check_upgrade", **older, rolling_back=True)["findings"] == []
    old.job("pre", "pre_upgrade", **older, rolling_back=True)
    old.power_off()
    back = make_machine(MARIADB, before=old)
    back.job("back", "come_back", configuration=None)
    assert back.status() == "HEALTHY"


def test_no_way_back_where_a_newer_series_has_worked(make_machine: Make, old: Machine) -> None:
    leave(old)
    (old.volume / "mysql/opened_by").write_text("11.8.6")
    back = make_machine(MARIADB, before=old)
    with pytest.raises(GuestError, match="has worked") as caught:
        back.job("back", "come_back")
    assert "snapshot" in caught.value.body.remedy
    assert back.engine.server(back) == 0


def test_upgrade_that_nobody_wants_any_more(old: Machine, writer: Writer) -> None:
    old.job("pre", "pre_upgrade", **target("11.8.6"))
    assert old.job("pre-again", "pre_upgrade", **target("11.8.6"))["read_back"]["users"]
    assert old.status() == "SHUTDOWN"
    old.job("let-in", "start")
    writer.writes_on()
    writer.stop()
    assert writer.lost() == 0


def test_agent_killed_while_leaving_serves_on_or_repeats(old: Machine, writer: Writer) -> None:
    old.start_job("pre", "pre_upgrade", **target("11.8.6"))
    old.kill_agent()
    old.boot()
    try:
        old.job("again", "pre_upgrade", **target("11.8.6"))
    except InstarError as error:
        pytest.fail(error.body.sentence())
    assert old.status() == "SHUTDOWN"
    old.job("let-in", "start")
    writer.writes_on()
    writer.stop()
    assert writer.lost() == 0


def test_server_killed_while_leaving_serves_again(old: Machine, writer: Writer) -> None:
    old.start_job("pre", "pre_upgrade", **target("11.8.6"))
    os.kill(old.engine.server(old), signal.SIGKILL)
    with pytest.raises(InstarError):
        old.job("pre", "pre_upgrade", **target("11.8.6"))
    writer.writes_on()
    assert old.status() == "HEALTHY"
    writer.stop()
    assert writer.lost() == 0


def test_server_killed_after_the_freeze_has_lost_nothing(old: Machine, writer: Writer) -> None:
    lazily = {"innodb_flush_log_at_trx_commit": 0, "max_connections": 77}
    old.job("lazily", "apply_configuration", configuration=lazily)
    writer.writes_on()
    old.start_job("pre", "pre_upgrade", **target("11.8.6"))
    wait_for(lambda: (old.volume / "instar/desired").read_text() == "upgrading", "the freeze")
    if server := old.engine.server(old):
        with contextlib.suppress(ProcessLookupError):
            os.kill(server, signal.SIGKILL)
    with contextlib.suppress(InstarError):
        old.job("pre", "pre_upgrade", **target("11.8.6"))
    old.job("let-in", "start")
    writer.writes_on()
    writer.stop()
    assert writer.lost() == 0


def test_start_while_leaving_lets_clients_in_again(old: Machine, writer: Writer) -> None:
    old.start_job("pre", "pre_upgrade", **target("11.8.6"))
    old.job("let-in", "start")
    writer.writes_on()
    assert old.status() == "HEALTHY"
    with old.connect() as client:
        assert client.value("SELECT @@GLOBAL.innodb_fast_shutdown") == 1
        assert client.value("SELECT @@GLOBAL.innodb_max_dirty_pages_pct") == 90
    writer.stop()
    assert writer.lost() == 0
