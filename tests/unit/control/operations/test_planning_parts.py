"""The parts of a plan that need no world: sorts and forecasts, ways back, snapshots, hashes."""

from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from instar.control.catalog import managers
from instar.control.engine.outcomes import Step
from instar.control.operations.planning import Wanted, history, reversibility, snapshots
from instar.control.operations.probes import refuse_unless_one_statement
from instar.control.operations.upgrade import STORY
from instar.control.providers.base import Abilities, VolumeInfo
from instar.wire.errors import BadRequest
from instar.wire.plans import changes, hash_of

GIB = 1 << 30


def wanted(**options: str) -> Wanted:
    return Wanted(version_id="v", version="18.6", image="sha256:b", **options)  # type: ignore[arg-type]


# -- sorts and forecasts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("crossing", "method", "size", "copied", "sort"),
    [
        (("17", "18"), "link", 5 << 20, False, "postgresql|17->18|link|<1G"),
        (("17", "18"), "copy", GIB, False, "postgresql|17->18|copy|<10G"),
        (None, "copy", 99 * GIB, False, "postgresql|same|-|<100G"),
        (None, "link", 2048 * GIB, True, "postgresql|same|-|>=1T|snapshot copied"),
        (None, "link", None, False, "postgresql|same|-|unknown size"),
    ],
)
def test_what_is_alike_has_the_same_name(crossing, method, size, copied, sort):
    assert history.sort_of("postgresql", crossing, method, size, copied=copied) == sort


# -- the data format ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("manager", "before", "after", "same"),
    [
        ("postgresql", "17.10", "17.11", True),
        ("postgresql", "17.10", "18.6", False),
        ("mariadb", "10.11.4", "10.11.9", True),
        ("mariadb", "10.11.9", "11.4.1", False),
        ("somebody-elses", "3.1", "3.1", True),
        ("somebody-elses", "3.1", "3.2", False),
    ],
)
def test_when_the_data_format_changes(manager, before, after, same):
    known = managers.find(manager)
    assert (known.format_of(before) == known.format_of(after)) is same


# -- snapshots ----------------------------------------------------------------------------------------------

VOLUME = VolumeInfo({}, "volume", 1, used=7)


@pytest.mark.parametrize("policy", ["auto", "always", "never"])
@pytest.mark.parametrize("can", [True, False])
@pytest.mark.parametrize("instant", [True, False])
@pytest.mark.parametrize("crosses", [True, False])
def test_whether_a_snapshot_is_taken(policy, can, instant, crosses):
    abilities = Abilities(snapshots=can, instant_snapshots=can and instant)
    planned = snapshots.decide(wanted(snapshot=policy), abilities, VOLUME, format_changes=crosses)
    assert planned.taken == (can and (policy == "always" or (policy == "auto" and (crosses or instant))))
    assert planned.reason
    if planned.taken:
        assert (planned.bytes, planned.seconds) == ((0, 0.0) if instant else (7, None))


# -- ways back ----------------------------------------------------------------------------------------------

NAMES = [step.name for step in STORY.steps]


@pytest.mark.parametrize("method", ["link", "clone", "copy"])
@pytest.mark.parametrize("crosses", [True, False])
@pytest.mark.parametrize("snapshot", [True, False])
def test_every_step_up_to_the_point_of_no_return_has_a_way_back(method, crosses, snapshot):
    point = reversibility.point_of_no_return(
        wanted(method=method), NAMES, format_changes=crosses, snapshot=snapshot
    )
    steps = reversibility.steps(STORY.steps, point, format_changes=crosses, snapshot=snapshot)
    names = [step.name for step in steps]
    assert ("snapshot" in names) is snapshot
    closed = [step.name for step in steps if step.way_back.startswith("none")]
    if not crosses or snapshot:
        assert (point, closed) == (None, [])
    else:
        assert point == ("post_upgrade" if method == "link" else "let_in")
        assert closed == names[names.index(point) :]


def test_the_steps_that_words_are_made_for_are_the_upgrades() -> None:
    assert {reversibility.CONVERTS, reversibility.TAKES_SNAPSHOT} <= set(NAMES)
    assert all(isinstance(step, Step) for step in STORY.steps)


@pytest.mark.parametrize(
    ("window", "told"),
    [(86400.0, "24 hours"), (259200.0, "3 days"), (5400.0, "90 minutes"), (90.0, "90 seconds")],
)
def test_the_undo_window_in_words(window, told):
    assert told in reversibility.undo(window, format_changes=False, snapshot=False)


# -- the hash -----------------------------------------------------------------------------------------------

BASES = st.dictionaries(
    st.text(max_size=4), st.one_of(st.text(max_size=4), st.dictionaries(st.text(max_size=3), st.text()))
)


@given(BASES, st.randoms())
@example({".": "", "": {"": "0"}}, Random(0))
def test_the_hash_does_not_depend_on_the_order_of_keys(basis, random):
    keys = list(basis)
    random.shuffle(keys)
    shuffled = {key: basis[key] for key in keys}
    assert hash_of(shuffled) == hash_of(basis)
    assert changes(basis, shuffled) == []


def test_changes_name_the_part_and_both_values():
    before = {"configuration": {"work_mem": "4MB", "jit": "on"}, "image_after": "a", "group": None}
    now = {"configuration": {"work_mem": "8MB", "jit": "on"}, "image_after": "a", "group": "g"}
    assert changes(before, now) == [
        "configuration.work_mem was 4MB and is 8MB",
        "group was absent and is g",
    ]


# -- probes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "SELECT 1;",
        "SELECT ';' -- a; b\n",
        'SELECT "a;b" FROM t /* ; */',
        "SELECT $$a;b$$, $x$;$$;$x$",
        "SELECT 'it''s; fine'",
    ],
)
def test_one_statement_passes(sql):
    refuse_unless_one_statement(sql)


@pytest.mark.parametrize("sql", ["", ";", "-- nothing", "SELECT 1; SELECT 2", "SELECT 'a'; DROP TABLE t;"])
def test_none_or_several_statements_do_not(sql):
    with pytest.raises(BadRequest, match=r"probe\.sql"):
        refuse_unless_one_statement(sql)
