"""Values held against a catalogue: PostgreSQL's own rules of numbers, units and words."""

import contextlib
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.control.catalog import parameters, quantities
from instar.wire.agent import Parameter
from instar.wire.errors import Severity
from world import catalogue

CATALOGUE = catalogue("17.10")
MEMORY = {"B": 1, "kB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}


def seen(name: str, value: object) -> str:
    """Say what is wrong with one value, empty when nothing is."""
    return "; ".join(found.seen for found in parameters.check(CATALOGUE, {name: value}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("work_mem", 64),
        ("work_mem", "64"),
        ("work_mem", "64MB"),
        ("work_mem", " 64 MB "),
        ("work_mem", "0x40"),
        ("work_mem", "0100"),
        ("work_mem", "1e3"),
        ("work_mem", "0.5GB"),
        ("WORK_MEM", "64kB"),
        ("shared_buffers", "128kB"),
        ("shared_buffers", "1TB"),
        ("log_min_duration_statement", -1),
        ("log_min_duration_statement", "1.5min"),
        ("log_min_duration_statement", "2d"),
        ("random_page_cost", "1.1"),
        ("random_page_cost", 1.1),
        ("jit", True),
        ("jit", "YES"),
        ("jit", "0"),
        ("jit", 1),
        ("jit", "of"),
        ("wal_level", "LOGICAL"),
        ("search_path", "shop, public"),
    ],
)
def test_what_postgresql_takes_is_taken(name, value):
    assert seen(name, value) == ""


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("work_mem", "63", "below the minimum of 64kB"),
        ("work_mem", "3TB", "above the maximum of 2147483647kB"),
        ("work_mem", "64mb", "units are B, kB, MB, GB, TB"),
        ("work_mem", "64s", "does not fit"),
        ("work_mem", "much", "is not a number"),
        ("work_mem", "", "is not a number"),
        ("work_mem", "٦٤", "is not a number"),
        ("work_mem", "09", "octal"),
        ("work_mem", True, "is not a number"),
        ("work_mem", 10**30, "far too large"),
        ("work_mem", "9" * 1000, "is not a number"),
        ("max_connections", "100kB", "takes no unit"),
        ("max_connections", "0.4", "below the minimum of 1"),
        ("shared_buffers", "15", "below the minimum of 128kB"),
        ("log_min_duration_statement", "-2", "below the minimum of -1"),
        ("jit", "perhaps", "neither on nor off"),
        ("jit", 2, "neither on nor off"),
        ("jit", "o", "neither on nor off"),
        ("wal_level", "hot_standby", "not one of those"),
        ("search_path", "a\nb", "control characters"),
        ("search_path", ["shop"], "not text, a number, true or false"),
        ("search_path", None, "not text, a number, true or false"),
        ("search_path", "x" * 5000, "longer than"),
        ("port", 5433, "can't be set"),
        ("old_snapshot_threshold", 1, "knows no parameter"),
    ],
)
def test_what_it_refuses_is_found_by_name(name, value, why):
    (found,) = parameters.check(CATALOGUE, {name: value})
    assert why in found.seen
    assert found.severity is Severity.BLOCK
    assert found.check == f"configuration.{name}"


def test_what_an_extension_takes_is_not_known_and_said_so():
    (found,) = parameters.check(CATALOGUE, {"pg_stat_statements.max": 1000})
    assert found.severity is Severity.NOTE
    assert "not checked" in found.seen


def test_without_a_catalogue_nothing_but_nonsense_is_refused():
    (note,) = parameters.check([], {"anything": 1})
    assert note.severity is Severity.NOTE
    assert parameters.check([], {}) == []
    blocking = [each for each in parameters.check([], {"a": {}}) if each.severity is Severity.BLOCK]
    assert [each.check for each in blocking] == ["configuration.a"]


def test_a_name_may_not_stand_there_twice_in_two_spellings():
    (found,) = parameters.check(CATALOGUE, {"work_mem": 64, "Work_Mem": 65})
    assert "twice" in found.seen


def test_a_secret_is_not_repeated():
    (found,) = parameters.check(CATALOGUE, {"primary_conninfo": "password=hush\n"})
    assert "hush" not in found.seen + found.remedy


def test_an_enum_that_can_be_on_takes_every_word_for_it():
    commit = Parameter(name="synchronous_commit", type="enum", values=["local", "on", "off"])
    for value in (True, False, "yes", "0", "LOCAL"):
        assert parameters.check([commit], {"synchronous_commit": value}) == []
    assert parameters.check([commit], {"synchronous_commit": "t"})


@pytest.mark.parametrize(
    ("told", "expected"),
    [("64", 64), ("64k", 2**16), ("1.5G", 3 * 2**29), ("-1", -1), ("1e3", 1000), (" 2T ", 2**41)],
)
def test_mariadb_multiplies_by_suffixes(told, expected):
    assert quantities.read(told, None, "mysql") == expected


@pytest.mark.parametrize("told", ["64MB", "0x40", "", "K", "64 kB", "9" * 100])
def test_what_mariadb_does_not_read_is_no_number(told):
    with pytest.raises(ValueError, match="suffixes"):
        quantities.read(told, None, "mysql")


@given(
    number=st.integers(min_value=0, max_value=10**6),
    given_unit=st.sampled_from(sorted(MEMORY)),
    base=st.sampled_from(["B", "kB", "8kB", "MB", "16MB"]),
)
def test_memory_is_converted_exactly(number, given_unit, base):
    times, plain = (
        base.removesuffix("kB").removesuffix("MB").removesuffix("B") or "1",
        base.lstrip("0123456789"),
    )
    expected = Fraction(number * MEMORY[given_unit], int(times) * MEMORY[plain])
    assert quantities.read(f"{number}{given_unit}", base) == expected


@given(st.integers(min_value=1, max_value=2**40), st.sampled_from(["kB", "8kB", "ms", "s", "min", None]))
def test_a_number_that_was_written_reads_back(number, unit):
    assert quantities.read(quantities.words(number, unit), unit) == number


@given(st.text(max_size=80), st.sampled_from(["8kB", "ms", None]))
def test_no_text_breaks_the_reader(text, unit):
    with contextlib.suppress(ValueError):
        quantities.read(text, unit)


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=20) | st.sampled_from([each.name for each in CATALOGUE]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()),
        max_size=5,
    )
)
def test_whatever_is_sent_is_checked_without_an_error_of_ours(values):
    for found in parameters.check(CATALOGUE, values):
        assert found.seen
    parameters.translate(values, CATALOGUE, catalogue("18.6"), {})
