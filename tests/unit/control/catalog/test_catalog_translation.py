"""What becomes of values in another version."""

from typing import Any

import pytest

from instar.control.catalog import parameters, renames
from instar.wire.agent import Parameter
from instar.wire.plans import Translation
from world import catalogue


def translated(values: dict[str, Any], before: str = "17.10", after: str = "18.6") -> dict[str, Translation]:
    """Translate, by name."""
    found = parameters.translate(
        values, catalogue(before), catalogue(after), renames.between("postgresql", before, after)
    )
    return {each.name: each for each in found}


def test_what_both_versions_know_is_kept():
    found = translated({"work_mem": "64MB"})["work_mem"]
    assert (found.change, found.target_name, found.target_value) == ("kept", "work_mem", "64MB")


def test_what_was_renamed_goes_on_under_its_new_name():
    found = translated({"ssl_ecdh_curve": "secp384r1"})["ssl_ecdh_curve"]
    assert (found.change, found.target_name, found.target_value) == ("renamed", "ssl_groups", "secp384r1")


def test_what_the_target_lacks_is_removed():
    found = translated({"old_snapshot_threshold": "60"}, "16.9", "17.10")["old_snapshot_threshold"]
    assert (found.change, found.target_name) == ("removed", None)


def test_what_the_target_refuses_is_invalid_and_says_why():
    found = translated({"wal_level": "hot_standby"})["wal_level"]
    assert found.change == "invalid"
    assert "not one of those" in found.note


def test_a_default_that_changes_is_told_whether_a_value_is_set_or_not():
    unset = translated({})["effective_io_concurrency"]
    assert (unset.change, unset.value, unset.target_value) == ("default changed", "1", "16")
    kept = translated({"effective_io_concurrency": 4})["effective_io_concurrency"]
    assert kept.change == "kept"
    assert "from 1 to 16" in kept.note


def test_values_that_are_carried_keep_their_types():
    values = {"effective_io_concurrency": 4, "ssl_ecdh_curve": "x", "wal_level": "bad", "jit": False}
    found = translated(values).values()
    carried = {"effective_io_concurrency": 4, "ssl_groups": "x", "jit": False}
    assert parameters.carried(values, found) == carried


def test_with_no_catalogue_of_the_target_everything_is_kept_unchecked():
    (found,) = parameters.translate({"anything": "x"}, catalogue("17.10"), [], {})
    assert found.change == "kept"
    assert "unknown" in found.note


def test_a_bare_number_is_not_taken_over_into_another_unit():
    before = [Parameter(name="pace", type="integer", unit="s", minimum=0, maximum=1000)]
    after = [Parameter(name="pace", type="integer", unit="ms", minimum=0, maximum=1_000_000)]
    for value, change in ((5, "invalid"), ("5s", "kept"), (0, "kept")):
        (found,) = parameters.translate({"pace": value}, before, after, {})
        assert found.change == change


def test_what_the_instance_itself_has_in_both_is_kept():
    assert translated({"port": "5432"})["port"].change == "kept"


def test_a_secret_is_not_shown():
    (found,) = parameters.translate({"primary_conninfo": "password=hush"}, [], [], {})
    assert "hush" not in found.model_dump_json()


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("15.8", "16.4", {"force_parallel_mode": "debug_parallel_query"}),
        ("17.10", "18.6", {"ssl_ecdh_curve": "ssl_groups"}),
        ("18.6", "17.10", {"ssl_groups": "ssl_ecdh_curve"}),
        ("17.10", "17.11", {}),
        ("16.4", "17.10", {}),
    ],
)
def test_renames_are_those_between_two_releases(before, after, expected):
    assert renames.between("postgresql", before, after) == expected
    assert renames.between("somebody elses", before, after) == {}


def test_renames_go_by_more_than_the_first_number():
    moved = {"tx_isolation": "transaction_isolation", "tx_read_only": "transaction_read_only"}
    assert renames.between("mariadb", "10.11.14", "11.1.2") == moved
    assert renames.between("mariadb", "11.0.3", "11.8.6") == moved
    assert renames.between("mariadb", "11.1.2", "11.8.6") == {}


def test_what_a_release_gave_up_is_told_with_the_reason_on_the_way_up_only():
    gone = renames.given_up("mariadb", "10.11.14", "11.8.6")
    assert {"innodb_change_buffering", "innodb_defragment", "old_alter_table"} <= gone.keys()
    assert "innodb_version" not in gone
    assert renames.given_up("mariadb", "10.6.22", "10.11.14").keys() >= {"innodb_version"}
    assert renames.given_up("mariadb", "11.8.6", "10.11.14") == {}


def test_what_reaches_a_release_under_another_name_is_understood_by_it():
    known = ["transaction_isolation", "max_connections"]
    assert renames.understood(known, "mariadb", "10.11.14", "11.8.6") == [*known, "tx_isolation"]
    assert renames.understood([], "mariadb", "10.11.14", "11.8.6") == []


@pytest.mark.parametrize("name", ["innodb-log-file-size", "INNODB_LOG_FILE_SIZE"])
def test_the_spelling_of_a_name_does_not_matter(name):
    known = [Parameter(name="innodb_log_file_size", type="integer")]
    (found,) = parameters.translate({name: "96M"}, known, known, {}, "mysql")
    assert (found.change, found.target_name) == ("kept", "innodb_log_file_size")
