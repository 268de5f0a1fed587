"""What would not cross to another image, since it does not lie on the volume or below /etc/mysql."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engines import DATABASE, MARIADB, Client
from guest_machine import USER, Machine

from instar.wire.errors import Vetoed

OPTIONS = "etc/mysql/mariadb.conf.d"


@pytest.fixture
def machine(make_machine: Callable[..., Machine]) -> Machine:
    machine = make_machine(MARIADB)
    machine.job(
        "create", "prepare", databases=[{"name": DATABASE}], users=[USER], root_password="secret-root"
    )
    return machine


def write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o644)


def target() -> dict[str, Any]:
    return {"target_engine_version": MARIADB.version, "target_image_digest": "sha256:x"}


def blocking(machine: Machine) -> list[str]:
    """Tell what stands in the way of an upgrade, which then does not begin."""
    found = machine.call("check_upgrade", **target())["findings"]
    seen = [each["seen"] for each in found if each["severity"] == "block"]
    if seen:
        with pytest.raises(Vetoed):
            machine.job("pre", "pre_upgrade", **target())
        assert machine.status() == "HEALTHY"
    return seen


def make_elsewhere(client: Client, place: Path) -> None:
    for engine in ("InnoDB", "Aria"):
        client.execute(f"CREATE TABLE t_{engine} (n int) ENGINE = {engine} DATA DIRECTORY = '{place}'")


def test_tables_that_lie_elsewhere_block(machine: Machine) -> None:
    place = machine.root / "var/log/mysql"
    with machine.connect("root", "secret-root") as root:
        make_elsewhere(root, place)
    (seen,) = blocking(machine)
    assert f"{DATABASE}/t_InnoDB.isl at {place}" in seen
    assert f"{DATABASE}/t_Aria.MAD at {place}" in seen


def test_tables_elsewhere_on_the_volume_are_not_in_the_way(machine: Machine) -> None:
    with machine.connect("root", "secret-root") as root:
        make_elsewhere(root, machine.volume / "mysql/files")
    assert blocking(machine) == []


def test_logs_of_changes_that_lie_elsewhere_block(machine: Machine) -> None:
    place = machine.root / "var/log/mysql/changes"
    write(machine.root / OPTIONS / "60-mine.cnf", f"[mysqld]\nlog_bin = {place}\n")
    machine.job("restart", "restart")
    (seen,) = blocking(machine)
    assert f"log_bin_basename = {place}" in seen
    write(machine.root / OPTIONS / "60-mine.cnf", "[mysqld]\nlog_bin = changes\n")
    machine.job("restart-again", "restart")
    assert blocking(machine) == []


def test_server_that_only_recovers_is_not_upgraded(machine: Machine) -> None:
    write(machine.root / OPTIONS / "60-mine.cnf", "[mysqld]\ninnodb_force_recovery = 1\n")
    machine.job("restart", "restart")
    (seen,) = blocking(machine)
    assert "innodb_force_recovery" in seen


def test_options_of_files_that_do_not_cross_block(machine: Machine) -> None:
    elsewhere = machine.root / "etc/elsewhere.cnf"
    write(elsewhere, "[mysqld]\nback_log = 66\n")
    write(machine.root / OPTIONS / "60-mine.cnf", f"!include {elsewhere}\n")
    machine.job("restart", "restart")
    (seen,) = blocking(machine)
    assert f"back_log in {elsewhere}:2" in seen


def test_option_file_behind_a_link_crosses(make_machine: Callable[..., Machine], machine: Machine) -> None:
    elsewhere = machine.root / "etc/elsewhere.cnf"
    write(elsewhere, "[mysqld]\nback_log = 66\n")
    (machine.root / OPTIONS / "60-mine.cnf").symlink_to(elsewhere)
    machine.job("restart", "restart")
    assert blocking(machine) == []
    info = machine.job("pre", "pre_upgrade", **target())
    machine.power_off()
    elsewhere.unlink()
    new = make_machine(MARIADB, before=machine)
    assert new.arrive("post", upgrade_info=info)["findings"] == []
    assert new.call("read_back")["settings"] == {"back_log": "66"}


def test_server_of_another_language_comes_to_a_good_end(machine: Machine) -> None:
    write(machine.root / OPTIONS / "60-mine.cnf", "[mysqld]\nlc_messages = de_DE\n")
    machine.job("restart", "restart")
    machine.job("pre", "pre_upgrade", **target())
    assert machine.status() == "SHUTDOWN"
