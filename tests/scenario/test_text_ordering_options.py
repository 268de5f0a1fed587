"""The policy for indexes that a library orders otherwise: on its way from a request to the guest and back."""

import pytest
from test_plans import use_image

from instar.client.errors import BadRequest, OperationFailed
from instar.wire.agent import IndexAtRisk, UpgradeFacts
from instar.wire.errors import Severity
from instar.wire.rest import Operation
from world import World

INDEX = IndexAtRisk(database="shop", index="names", table="people", bytes=64 << 20, provider="libc")


@pytest.fixture
def at_risk(world: World) -> World:
    """An instance with an index whose order the way to 18.6 changes."""
    for version, glibc in (("17.10", "2.36"), ("18.6", "2.41")):
        use_image(world, version, glibc=glibc)
    world.create()
    world.client.operations.wait(world.client.instances.upgrade("demo", "17.10"))
    world.guests.facts = UpgradeFacts(data_bytes=1 << 30, indexes_at_risk=[INDEX])
    return world


def upgrade(world: World, **options: str) -> Operation:
    return world.client.operations.wait(world.client.instances.upgrade("demo", "18.6", **options))


def test_indexes_are_rebuilt_unless_told_otherwise_and_the_record_names_them(at_risk: World) -> None:
    told = upgrade(at_risk)
    assert told.inputs["text_ordering"] == "rebuild"
    assert told.text_ordering
    assert (told.text_ordering["indexes"], told.text_ordering["bytes"]) == (["names"], 64 << 20)
    assert told.findings == []


def test_warn_goes_on_and_the_record_names_what_was_left(at_risk: World) -> None:
    plan = at_risk.client.plans.make("demo", "18.6", text_ordering="warn")
    assert (plan.text_ordering.policy, plan.text_ordering.rebuild_seconds) == ("warn", None)
    told = upgrade(at_risk, text_ordering="warn")
    assert told.text_ordering is None
    assert [(each.check, each.seen) for each in told.findings] == [("text_ordering", "names")]


def test_block_refuses_before_any_downtime_even_where_the_guest_knows_no_policy(at_risk: World) -> None:
    plan = at_risk.client.plans.make("demo", "18.6", text_ordering="block")
    assert [finding.check for finding in plan.blocking()] == ["text_ordering"]
    with pytest.raises(OperationFailed) as caught:
        upgrade(at_risk, text_ordering="block")
    assert caught.value.operation.step == "preflight"
    assert at_risk.client.instances.get("demo").engine_version == "17.10"
    at_risk.guests.facts = UpgradeFacts(data_bytes=1 << 30)
    assert upgrade(at_risk, text_ordering="block").findings == []


def test_a_guest_that_did_not_look_is_taken_to_have_indexes(at_risk: World) -> None:
    at_risk.guests.facts = UpgradeFacts()
    plan = at_risk.client.plans.make("demo", "18.6", text_ordering="block")
    assert [finding.severity for finding in plan.findings if finding.check == "text_ordering"] == [
        Severity.BLOCK,
        Severity.WARN,
    ]


def test_an_upgrade_takes_the_policy_of_its_plan_and_no_other(at_risk: World) -> None:
    plan = at_risk.client.plans.make("demo", "18.6", text_ordering="warn")
    with pytest.raises(BadRequest, match="upgrade_text_ordering"):
        upgrade(at_risk, plan=plan.hash, text_ordering="rebuild")
    assert upgrade(at_risk, plan=plan.hash).inputs["text_ordering"] == "warn"


def test_an_unknown_policy_is_refused_by_name(at_risk: World) -> None:
    with pytest.raises(BadRequest, match="text_ordering"):
        upgrade(at_risk, text_ordering="hope")


def test_the_estimate_comes_from_earlier_rebuilds_where_there_are_any(at_risk: World) -> None:
    first = at_risk.client.plans.make("demo", "18.6").text_ordering
    assert (first.rebuild_seconds, first.rebuilds) == (4.0, 0)
    upgrade(at_risk)
    at_risk.create("other")
    at_risk.guests.facts = UpgradeFacts(data_bytes=1 << 30, indexes_at_risk=[INDEX])
    second = at_risk.client.plans.make("other", "18.6").text_ordering
    assert (second.rebuild_seconds, second.rebuilds) == (64.0, 1)


@pytest.mark.parametrize(("policy", "rebuilt"), [("rebuild", True), ("warn", False), ("block", True)])
def test_an_undo_keeps_to_the_policy_of_its_upgrade_and_tells(
    at_risk: World, policy: str, rebuilt: bool
) -> None:
    if policy == "block":
        at_risk.guests.facts = UpgradeFacts(data_bytes=1 << 30)
    at_risk.client.operations.wait(at_risk.client.instances.upgrade("demo", "17.10", text_ordering=policy))
    at_risk.guests.facts = UpgradeFacts(indexes_at_risk=[INDEX])
    told = at_risk.client.operations.wait(at_risk.client.instances.rollback("demo"))
    assert (told.text_ordering is not None) == rebuilt
    assert [each.seen for each in told.findings] == ([] if rebuilt else ["names"])
