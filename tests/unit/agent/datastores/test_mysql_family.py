"""What MySQL's family does without a server: names, option files, a server's words."""

from pathlib import Path

import pytest

from instar.agent.datastores.mariadb.dialect import MARIADB
from instar.agent.datastores.mysql_family import configuration, databases, dialect, layout, names, refusals
from instar.agent.datastores.mysql_family.variables import read
from instar.wire.errors import BadRequest, GuestError


@pytest.mark.parametrize(
    "name", ["", "mysql", "Information_Schema", "instar_x", "a\n", "x" * 65, " a", "\U0001f600"]
)
def test_database_that_no_user_may_have(name: str) -> None:
    with pytest.raises(BadRequest, match="field"):
        names.check_database(name, "field")


@pytest.mark.parametrize(
    "name", ["", "root", "Root", "mariadb.sys", "mysql.session", "instar_admin", "PUBLIC", "x" * 33]
)
def test_user_that_no_user_may_have(name: str) -> None:
    with pytest.raises(BadRequest, match="field"):
        names.check_user(name, "field")


def test_hosts_are_addresses_since_names_are_not_resolved() -> None:
    for host in ("%", "10.1.2.3", "10.1.%", "10.1.0.0/255.255.0.0", "fe80::1", "192.168._.1"):
        names.check_host(host, "host")
    for host in ("", "localhost", "db.example.org", "10.1.2.3' OR '", "a b"):
        with pytest.raises(BadRequest, match="host"):
            names.check_host(host, "host")


def test_name_in_a_grant_stands_for_itself() -> None:
    assert databases.pattern(r"a_b%c\d") == r"a\_b\%c\\d"


def test_password_is_hashed_as_the_server_does() -> None:
    assert dialect.password_hash("password") == "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19"


@pytest.mark.parametrize(
    ("version", "found"), [("10.11.19", (10, 11)), ("11.8.6-MariaDB-log", (11, 8)), ("8.4.0", (8, 4))]
)
def test_series(version: str, found: dialect.Series) -> None:
    assert dialect.series(version) == found


def test_version_that_is_none() -> None:
    with pytest.raises(GuestError, match="not a version"):
        dialect.series("17")


def test_socket_directory_is_private_and_its_path_short_enough(tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / ("x" * 100)):
        path = layout.Layout(root, root).run()
        assert len(str(path / "mysqld.sock")) <= layout.LONGEST_SOCKET_PATH
        assert path.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "value", ["plain", "a # b", "it's", 'say "so"', "SELECT 1; -- x", "/var/x,y", " spaced "]
)
def test_value_is_read_as_it_was_written(tmp_path: Path, value: str) -> None:
    path = tmp_path / "x.cnf"
    path.write_text(configuration.values({"init-connect": value, "max_connections": 7, "general_log": True}))
    found = {option.name: option.value for option in read(path, ["mysqld"])}
    assert found == {"general_log": "ON", "init_connect": value, "max_connections": "7"}


@pytest.mark.parametrize(
    ("name", "value"),
    [("a b", 1), ("x\ny", 1), ("[client]", 1), ("x", "a\nb"), ("x", None), ("x", [1]), ("x", '" and #')],
)
def test_value_that_no_option_file_can_hold(name: str, value: object) -> None:
    with pytest.raises(BadRequest, match="configuration"):
        configuration.values({name: value})


def test_half_of_a_larger_servers_memory_is_for_the_buffer_pool() -> None:
    assert "innodb_buffer_pool_size = 2048M" in configuration.defaults(4096)
    assert "innodb_buffer_pool_size = 64M" in configuration.defaults(256)


def test_saved_configuration_is_all_but_what_is_generated(tmp_path: Path) -> None:
    place = layout.Layout(tmp_path / "root", tmp_path / "volume")
    own = place.configuration / MARIADB.own_folder
    (place.configuration / "conf.d").mkdir(parents=True)
    configuration.write_defaults(place, MARIADB, 256)
    configuration.replace(place, MARIADB, {"max_connections": 7})
    configuration.put(own / "60-mine.cnf", "[mysqld]\n")
    (own / "60-mine.cnf").chmod(0o644)
    target = place.state / "saved"
    target.parent.mkdir(parents=True)
    configuration.save(place, MARIADB, target)
    configuration.save(place, MARIADB, target)
    found = [str(path.relative_to(target)) for path in sorted(target.rglob("*"))]
    folder = MARIADB.own_folder
    assert found == ["conf.d", "mariadb.cnf", folder, f"{folder}/60-mine.cnf", f"{folder}/99-instar.cnf"]
    assert (target / folder / "60-mine.cnf").stat().st_mode & 0o777 == 0o644
    assert configuration.names(target, MARIADB) == {"max_connections"}


@pytest.mark.parametrize(
    ("log", "brief"),
    [
        (
            "0 [ERROR] /usr/sbin/mariadbd: unknown variable 'no-such=3'\n0 [ERROR] Aborting\n",
            "The database refuses its configuration: no_such",
        ),
        (
            "0 [Warning] mariadbd: unknown variable 'loose-x=1'\n0 [ERROR] InnoDB: page size differs\n"
            "0 [ERROR] Plugin 'InnoDB' registration as a STORAGE ENGINE failed.\n0 [ERROR] Aborting\n",
            "The database did not start: InnoDB: page size differs",
        ),
        ("0 [Note] nothing to tell\n", "The database did not start"),
    ],
)
def test_start_that_failed_is_told_by_its_cause(log: str, brief: str) -> None:
    assert refusals.by_server(log)[0] == brief
