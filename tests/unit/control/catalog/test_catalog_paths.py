"""Which version can be reached from which."""

import pytest

from instar.control.catalog import numbers, paths
from instar.control.store.tables import DatastoreVersion
from instar.wire.errors import BadRequest


def version(name, *, manager="postgresql", active=True, upgrade_from=None, datastore=None):
    return DatastoreVersion(
        id=f"{manager}-{name}",
        datastore_id=datastore or manager,
        name=name,
        number=name,
        manager=manager,
        active=active,
        upgrade_from=upgrade_from,
    )


@pytest.mark.parametrize(
    ("here", "there"),
    [("17.9", "17.10"), ("17.10", "18.6"), ("17.10", "17.10"), ("17", "17.0"), ("9.6", "10.1")],
)
def test_one_major_release_up_is_open(here, there):
    paths.check(version(here), version(there), [])


@pytest.mark.parametrize(
    ("here", "there", "reason"),
    [
        ("17.10", "17.9", "older"),
        ("18.1", "17.10", "older"),
        ("16.4", "18.6", "crosses 2 major releases"),
    ],
)
def test_down_and_too_far_are_closed_with_the_reason(here, there, reason):
    with pytest.raises(BadRequest, match=reason):
        paths.check(version(here), version(there), [])


def test_the_refusal_names_what_can_be_reached_lowest_first():
    known = [version(name) for name in ("18.6", "17.10", "16.9", "16.4", "15.2")]
    with pytest.raises(BadRequest) as refusal:
        paths.check(version("16.4"), version("18.6"), known)
    assert refusal.value.body.remedy == "It can go to: 16.4, 16.9, 17.10"
    assert refusal.value.body.brief.startswith("instance.datastore_version:")


def test_an_inactive_version_is_closed_even_when_it_is_the_same():
    with pytest.raises(BadRequest, match="not active"):
        paths.check(version("17.10"), version("17.10", active=False), [])


def test_another_datastore_is_closed():
    with pytest.raises(BadRequest, match="another datastore"):
        paths.check(version("10.11"), version("17.10", datastore="other"), [])


def test_the_targets_own_ranges_decide():
    target = version("18.6", upgrade_from=[">=14,<16", ">=17"])
    assert paths.reachable(version("15.2"), [target]) == [target]
    assert paths.reachable(version("17.10"), [target]) == [target]
    assert paths.reachable(version("16.4"), [target]) == []
    with pytest.raises(BadRequest, match=r"from >=14,<16 or >=17, not from 16\.4"):
        paths.check(version("16.4"), target, [])


def test_ranges_never_open_the_way_down():
    with pytest.raises(BadRequest, match="older"):
        paths.check(version("18.6"), version("17.10", upgrade_from=[">=10"]), [])


def test_mariadb_goes_to_any_later_series():
    here = version("10.5.23", manager="mariadb")
    there = version("11.8.6", manager="mariadb")
    assert paths.reachable(here, [there]) == [there]
    assert paths.reachable(there, [here]) == []


def test_a_manager_nobody_knows_goes_one_major_release_at_a_time():
    here = version("6.0", manager="thirdparty")
    near, far = version("7.0", manager="thirdparty"), version("8.0", manager="thirdparty")
    assert paths.reachable(here, [far, near]) == [near]


@pytest.mark.parametrize(
    ("number", "span", "inside"),
    [
        ("17.10", ">=15,<18", True),
        ("18", ">=15,<18", False),
        ("17.10", "<=17", False),
        ("17", "==17.0", True),
        ("17.10", "> 17.9", True),
        ("14.9", ">=15,<18", False),
    ],
)
def test_ranges_compare_number_by_number(number, span, inside):
    assert numbers.lies_in(numbers.parse(number), span) is inside


@pytest.mark.parametrize("span", ["", "15", "~=15", ">=15,", ">=x", ">=15;<18", ">=1.2.", ">=" + "1" * 5000])
def test_a_bad_range_is_refused(span):
    with pytest.raises(ValueError, match="not a version range"):
        numbers.lies_in((17,), span)


def test_a_number_may_carry_a_suffix_but_must_be_there():
    assert numbers.parse("17.10-1.deb") == (17, 10)
    with pytest.raises(ValueError, match="version number"):
        numbers.parse("latest")
