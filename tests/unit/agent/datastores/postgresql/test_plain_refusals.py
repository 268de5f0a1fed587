from pathlib import Path

import pytest

from instar.agent.datastores.postgresql import refusals

CHECK = """\
Performing Consistency Checks
-----------------------------
Checking cluster versions                                     ok
Checking for presence of required libraries                   fatal

Your installation references loadable libraries that are missing from the
new installation.
Failure, exiting
"""


@pytest.mark.parametrize(
    ("log", "brief"),
    [
        (
            'LOG:  unrecognized configuration parameter "no_such" in file "x" line 1\nFATAL:  errors in file',
            "The database refuses its configuration: no_such",
        ),
        (
            'FATAL:  could not access file "pg_cron": No such file or directory',
            "The image lacks a library that the database wants: pg_cron",
        ),
        ("LOG:  starting\nFATAL:  out of room", "The database did not start: out of room"),
        ("", "The database did not start"),
        (f"FATAL:  {'x' * 200}", f"The database did not start: {'x' * 92}"),
    ],
)
def test_server_that_does_not_start_says_why(log: str, brief: str) -> None:
    told, remedy = refusals.by_server(log)
    assert told == brief
    assert remedy


KNOCKS = """\
12:00 [7] FATAL:  the database system is starting up
12:00 [8] FATAL:  the database system is not yet accepting connections
12:00 [8] DETAIL:  Consistent recovery state has not been yet reached.
12:00 [9] FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "x", database "y", no encryption
12:00 [9] FATAL:  pg_hba.conf rejects connection for host "10.0.0.1", user "x", database "y"
"""


def test_clients_who_knock_are_not_why_a_server_does_not_start() -> None:
    log = refusals.without_knocks(f"LOG:  starting\n{KNOCKS}FATAL:  out of room\n")
    assert log == "LOG:  starting\nFATAL:  out of room\n"


def test_failed_check_of_pg_upgrade_is_named_and_its_report_comes_first(tmp_path: Path) -> None:
    (tmp_path / "loadable_libraries.txt").write_text('could not load library "$libdir/old": no such file\n')
    brief, seen, remedy = refusals.by_pg_upgrade(CHECK, tmp_path)
    assert brief == "pg_upgrade refuses: presence of required libraries ($libdir/old)"
    assert seen.startswith("loadable_libraries.txt: could not load")
    assert "Failure, exiting" in seen
    assert remedy


def test_failed_check_of_data_types_is_named(tmp_path: Path) -> None:
    printed = "Checking data type usage   failed check: Checking for reg* data types in user tables\nfatal\n"
    brief, _, _ = refusals.by_pg_upgrade(printed, tmp_path)
    assert brief == "pg_upgrade refuses: reg* data types in user tables"


def test_server_that_pg_upgrade_could_not_start_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "pg_upgrade_server.log").write_text('FATAL:  unrecognized parameter "no_such"\n')
    brief, seen, _ = refusals.by_pg_upgrade("*failure*\nFailure, exiting\n", tmp_path)
    assert brief == "The database refuses its configuration: no_such"
    assert seen.startswith("FATAL")


def test_pg_upgrade_that_failed_otherwise_tells_its_error(tmp_path: Path) -> None:
    brief, _, _ = refusals.by_pg_upgrade("Linking files\ncould not link file: no room\n", tmp_path)
    assert brief == "pg_upgrade failed: could not link file: no room"
