"""What of a configuration another version refuses, and what does not reach it."""

from pathlib import Path

from instar.agent.datastores.mariadb.dialect import MARIADB
from instar.agent.datastores.mysql_family import configuration, inspection, option_checks
from instar.agent.datastores.mysql_family.daemon import Daemon
from instar.agent.datastores.mysql_family.layout import Layout
from instar.wire.agent import UpgradeParams

KNOWN = ["max_connections", "sort_buffer_size"]


def daemon(place: Path, **files: str) -> Daemon:
    """Give a server of MariaDB 10.11 that never runs, with option files."""
    layout = Layout(place / "root", place / "volume")
    folder = layout.configuration / MARIADB.own_folder
    configuration.put(layout.configuration / MARIADB.main_file, f"!includedir {folder}/\n")
    for name, text in files.items():
        configuration.put(folder / f"{name}.cnf", text)
    return Daemon(MARIADB, layout, layout.data, "127.0.0.2", 3306, "10.11.19")


def target(version: str = "11.8.6") -> UpgradeParams:
    return UpgradeParams(
        target_engine_version=version, target_image_digest="sha256:x", target_parameters=KNOWN
    )


def test_each_refused_option_is_told_with_its_line_and_what_to_do(tmp_path: Path) -> None:
    there = daemon(
        tmp_path,
        mine="[mysqld]\nmax_connections = 1\nold-alter-table = COPY\nloose_max_tmp_tables = 1\nodd = 1\n",
        **{configuration.OURS.removesuffix(".cnf"): "[mysqld]\ndate_format = x\n"},
    )
    folder = there.layout.configuration / MARIADB.own_folder
    found = {each.seen.split()[1]: each for each in option_checks.refused(there, target())}
    assert set(found) == {"old_alter_table", "odd", "date_format"}
    assert f"{folder}/mine.cnf:3" in found["old_alter_table"].seen
    assert found["old_alter_table"].remedy.startswith("Remove it: ALGORITHM=")
    assert found["odd"].remedy == "Remove it. Or write loose_odd where only some versions know it."
    assert found["date_format"].remedy == (
        "Take date_format out of the instance's configuration: it had no effect any more."
    )


def test_generated_defaults_and_the_instances_identity_are_not_held_against_the_target(
    tmp_path: Path,
) -> None:
    generated = {configuration.DEFAULTS.removesuffix(".cnf"): "[mysqld]\ngone = 1\n"}
    there = daemon(tmp_path, mine="[mysqld]\ndatadir = /x\nevent_scheduler = ON\n", **generated)
    assert inspection.configured(there) == {}


def test_groups_that_name_a_series_are_left_behind_by_another_one_only(tmp_path: Path) -> None:
    there = daemon(tmp_path, mine="[mariadb-10.11]\nsort_buffer_size = 1M\n[mysqld]\nmax_connections = 1\n")
    assert [each.name for each in option_checks.left_behind(there, target())] == ["sort_buffer_size"]
    assert option_checks.left_behind(there, target("10.11.20")) == []
