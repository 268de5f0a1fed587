"""Option files: what the server heeds of them, and what another version would refuse."""

from pathlib import Path

from instar.agent.datastores.mysql_family import variables

GROUPS = {"mysqld", "mariadb", "mariadb-10.11", "server"}
KNOWN = ["max_connections", "innodb_buffer_pool_size", "name-resolve", "bind-address", "wsrep_OSU_method"]


def files(place: Path) -> Path:
    (place / "conf.d").mkdir()
    (place / "conf.d/20.cnf").write_text("[mysqld]\nmax-connections = 20\n")
    (place / "conf.d/10.cnf").write_text("[mysqld]\nMax_Connections=10 # few\n[client]\nuser=x\n")
    (place / "conf.d/README.txt").write_text("[mysqld]\nmax_connections=30\n")
    main = place / "my.cnf"
    main.write_text(
        "# remark\n"
        "[mariadb-10.11]\n"
        "loose-old-alter-table\n"
        "sql_mode = 'a#b'  # quoted\n"
        f"!includedir {place}/conf.d/\n"
        f"!include {place}/missing.cnf\n"
        "[server]\n"
        "; remark\n"
        "init-connect = \"SET x='#1'\"\n"
    )
    return main


def test_order_groups_comments_and_includes(tmp_path: Path) -> None:
    found = variables.read(files(tmp_path), GROUPS)
    assert [(each.name, each.value, each.path.name, each.line) for each in found] == [
        ("old_alter_table", None, "my.cnf", 3),
        ("sql_mode", "a#b", "my.cnf", 4),
        ("max_connections", "10", "10.cnf", 2),
        ("max_connections", "20", "20.cnf", 2),
        ("init_connect", "SET x='#1'", "my.cnf", 9),
    ]
    assert [each.loose for each in found] == [True, False, False, False, False]
    assert found[2].place == f"{tmp_path}/conf.d/10.cnf:2"


def test_options_of_groups_that_nobody_reads(tmp_path: Path) -> None:
    assert {each.group for each in variables.everything(files(tmp_path))} == {
        *("mariadb-10.11", "mysqld", "client", "server")
    }


def test_files_that_include_each_other_end(tmp_path: Path) -> None:
    (tmp_path / "my.cnf").write_text(f"[mysqld]\nport=1\n!include {tmp_path}/my.cnf\n")
    assert {each.name for each in variables.read(tmp_path / "my.cnf", GROUPS)} == {"port"}


def test_what_another_version_refuses(tmp_path: Path) -> None:
    main = tmp_path / "my.cnf"
    main.write_text(
        "[mysqld]\nold-alter-table=1\nloose_max_tmp_tables=2\nskip-name-resolve\nMax-Connections=3\n"
        "innodb_buffer=1G\nplugin-load-add=x\nwsrep_osu_method=TOI\nBIND_ADDRESS=::\n"
    )
    options = variables.read(main, GROUPS)
    assert [each.name for each in variables.unknown(options, KNOWN)] == ["old_alter_table"]
    assert variables.unknown(options, []) == []
