import json
import subprocess
from pathlib import Path

from instar.images.parameters import read

HELP = """\
mariadbd  Ver 11.8.6-MariaDB

  --bind-address=name IP address to bind to.
  -b, --basedir=name  Path to installation directory.
  --innodb-buffer-pool-size=#
                      The size of the buffer
  --replicate-do-db=name
                      Tells the slave thread
  -?, --help          Display this help and exit.

Variables (--variable-name=value)
and boolean options {FALSE|TRUE}                             Value (after reading options)
------------------------------------------------------------ -------------
basedir                                                      /usr
bind-address                                                 (No default value)
help                                                         FALSE
innodb-buffer-pool-size                                      134217728
log-bin                                                      (No default value)
long-query-time                                              10
slow-launch                                                  FALSE

To see what values a running server is using, type
"""


def row(name: str, kind: str, default: str | None = None, **other: str | None) -> str:
    known = {"scope": "GLOBAL", "minimum": None, "maximum": None, "values": None, "static": "NO"}
    return json.dumps({"name": name, "type": kind, "default": default, "description": "", **known, **other})


class MariaDB:
    """Stands for the programs of an image."""

    root, place = Path("/"), "/tmp"

    def __init__(self) -> None:
        self.asked = ""

    def write(self, name: str, text: str) -> None:
        self.asked = text

    def run(self, program: str, *options: str, told: str = "") -> "subprocess.CompletedProcess[str]":
        said = HELP if "--help" in options else ""
        return subprocess.CompletedProcess([program, *options], 0, said, "")

    def read(self, name: str) -> str:
        rows = [
            row("basedir", "VARCHAR", "", static="YES"),
            row("bind_address", "VARCHAR", "", static="YES"),
            row("innodb_buffer_pool_size", "BIGINT UNSIGNED", "134217728", minimum="2097152", maximum="1e18"),
            row("log_bin", "BOOLEAN", static="YES", values="OFF,ON"),
            row("long_query_time", "DOUBLE", "10.000000", minimum="0", maximum="31536000"),
            row("sql_log_bin", "BOOLEAN", "ON", scope="SESSION"),
            row("insert_id", "BIGINT UNSIGNED", "0", scope="SESSION ONLY"),
        ]
        return "\n".join(rows) + "\n"


def test_what_mariadb_tells_becomes_a_catalogue() -> None:
    known = {each.name: each for each in read("mariadb", "11.8.6", MariaDB())}
    pool = known["innodb_buffer_pool_size"]
    assert (pool.type, pool.default, pool.minimum) == ("integer", "134217728", 2097152)
    assert not pool.restart_required
    assert not pool.fixed
    assert known["long_query_time"].default == "10"
    assert known["log_bin"].type == "string"
    assert known["log_bin"].restart_required


def test_options_that_are_no_variables_are_heeded_by_a_start() -> None:
    known = {each.name: each for each in read("mariadb", "11.8.6", MariaDB())}
    assert known["replicate_do_db"].restart_required
    assert (known["slow_launch"].type, known["slow_launch"].default) == ("boolean", "OFF")
    assert "help" not in known


def test_what_no_option_file_may_hold_and_what_instar_gives_is_fixed() -> None:
    known = {each.name: each for each in read("mariadb", "11.8.6", MariaDB())}
    fixed = {name for name, each in known.items() if each.fixed}
    assert fixed == {"basedir", "bind_address", "sql_log_bin", "insert_id"}


def test_another_manager_has_no_catalogue() -> None:
    assert read("toy", "1.0", MariaDB()) == []
