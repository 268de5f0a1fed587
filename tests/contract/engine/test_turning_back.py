"""Ways back that are decided, wishes of requests, and operators who change their mind."""

import threading

import pytest
from conftest_engine import Shop

from instar.control.engine.outcomes import Done, Fail, Step, Story, Wait
from instar.control.engine.runner import Work
from instar.control.engine.submit import ask_back, reopen
from instar.control.store.tables import Operation
from instar.wire.errors import InstarError, NoWayBack
from instar.wire.states import InstanceStatus, OperationState, StepState
from waiting import until

MEND = ((Step("mend", lambda ctx: Done()),),)


def story(*steps: Step[Work]) -> Story[Work]:
    return Story("toy", steps, status=InstanceStatus.UPGRADE, ways_back=MEND)


def breaks(ctx: Work) -> Fail:
    return Fail(InstarError("It broke"))


def to_mend(operation: Operation) -> str:
    return "mend"


def nowhere(operation: Operation) -> str:
    raise NoWayBack("The bridge is burnt")


def passages(shop: Shop, operation_id: str) -> list[tuple[str, str]]:
    return [(step.name, step.state) for step in shop.steps(operation_id)]


def abort(shop: Shop, toy: Story[Work], operation_id: str) -> None:
    with shop.store.begin() as session:
        operation = session.get_one(Operation, operation_id)
        ask_back(session, shop.store.now(session), toy, operation, {"verb": "abort", "actor": "ann"})


def lead_back(shop: Shop, toy: Story[Work], operation_id: str) -> None:
    with shop.store.begin() as session:
        operation = session.get_one(Operation, operation_id)
        reopen(session, shop.store.now(session), toy, operation, back={"verb": "rollback"})


@pytest.mark.parametrize(
    ("wish", "status"), [("error", InstanceStatus.ERROR), ("rollback", InstanceStatus.ACTIVE)]
)
def test_a_decided_way_back_is_taken_where_the_request_wants_it(
    shop: Shop, wish: str, status: InstanceStatus
) -> None:
    toy = story(Step("risky", breaks, way_back=to_mend))
    operation_id = shop.submit(toy, on_failure=wish)
    shop.worker(toy)
    ended = shop.end_of(operation_id)
    assert ended.error
    assert (ended.error["brief"], ended.instance.status) == ("It broke", status)
    assert bool(ended.outputs.get("way_back", {}).get("done")) is (wish == "rollback")


def test_a_way_back_that_is_none_leaves_the_first_error(shop: Shop) -> None:
    toy = story(Step("risky", breaks, way_back=nowhere))
    operation_id = shop.submit(toy, on_failure="rollback")
    shop.worker(toy)
    ended = shop.end_of(operation_id)
    assert ended.error
    assert (ended.error["brief"], ended.instance.status) == ("It broke", InstanceStatus.ERROR)
    with pytest.raises(NoWayBack, match="bridge"):
        lead_back(shop, toy, operation_id)


def test_a_failed_operation_is_led_back(shop: Shop) -> None:
    toy = story(Step("risky", breaks, way_back=to_mend))
    operation_id = shop.submit(toy)
    shop.worker(toy)
    assert shop.end_of(operation_id).instance.status == InstanceStatus.ERROR
    lead_back(shop, toy, operation_id)
    ended = shop.end_of(operation_id)
    assert ended.error
    assert (ended.state, ended.error["brief"]) == (OperationState.FAILED, "It broke")
    assert (ended.instance.status, ended.instance.fault) == (InstanceStatus.ACTIVE, None)
    assert passages(shop, operation_id) == [("risky", StepState.FAILED), ("mend", StepState.DONE)]


@pytest.mark.parametrize("lease", [5.0, 0.3])
@pytest.mark.parametrize(
    ("waiting", "led_through"),
    [
        (Step[Work]("wait", lambda ctx: Wait(0.5, "a long road"), harmless=True), []),
        (Step[Work]("wait", lambda ctx: Wait(0.5, "a long road"), way_back="mend"), ["mend"]),
        (Step[Work]("wait", lambda ctx: Wait(0.5, "a long road"), way_back=to_mend), ["mend"]),
    ],
)
def test_an_abort_ends_a_wait(shop: Shop, waiting: Step[Work], led_through: list[str], lease: float) -> None:
    toy = story(waiting)
    operation_id = shop.submit(toy)
    shop.worker(toy, lease=lease)
    until(lambda: shop.operation(operation_id).reason == "a long road")
    abort(shop, toy, operation_id)
    ended = shop.end_of(operation_id)
    assert ended.error
    assert ended.error["code"] == "aborted"
    assert "ann" in ended.error["brief"]
    assert (ended.instance.status, ended.instance.fault) == (InstanceStatus.ACTIVE, None)
    assert [name for name, _ in passages(shop, operation_id)] == ["wait", *led_through]


def test_an_abort_waits_for_the_step_that_runs_and_leads_back_from_its_end(shop: Shop) -> None:
    """The next step may close the way back, so it is not begun."""

    begun, go_on = threading.Event(), threading.Event()

    def long(ctx: Work) -> Done:
        begun.set()
        assert go_on.wait(30)
        return Done()

    toy = story(Step("long", long, way_back=to_mend), Step("next", lambda ctx: Done(), way_back=nowhere))
    operation_id = shop.submit(toy)
    shop.worker(toy)
    assert begun.wait(30)
    abort(shop, toy, operation_id)
    go_on.set()
    shop.end_of(operation_id)
    assert passages(shop, operation_id) == [
        ("long", StepState.DONE),
        ("mend", StepState.DONE),
    ]


def test_an_abort_that_comes_too_late_is_told_and_the_operation_goes_on(shop: Shop) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def long(ctx: Work) -> Done:
        begun.set()
        assert go_on.wait(30)
        return Done()

    burnt = False

    def while_it_lasts(operation: Operation) -> str:
        return nowhere(operation) if burnt else "mend"

    toy = story(Step("long", long, way_back=while_it_lasts), Step("last", lambda ctx: Done()))
    operation_id = shop.submit(toy)
    shop.worker(toy)
    assert begun.wait(30)
    abort(shop, toy, operation_id)
    burnt = True
    go_on.set()
    ended = shop.end_of(operation_id)
    assert (ended.state, ended.error) == (OperationState.SUCCEEDED, None)
    told = [event.payload.get("reason") for event in shop.events(operation_id)]
    assert "the abort came too late: no way leads back from here" in told


def test_an_abort_is_refused_where_no_way_leads_back(shop: Shop) -> None:
    toy = story(Step("wait", lambda ctx: Wait(0.2, "a long road"), patience=0.5))
    operation_id = shop.submit(toy)
    shop.worker(toy)
    until(lambda: shop.operation(operation_id).reason == "a long road")
    with pytest.raises(NoWayBack, match="no way leads back"):
        abort(shop, toy, operation_id)
    shop.end_of(operation_id)


def test_what_is_optional_at_the_end_of_a_way_back_does_not_spoil_it(shop: Shop) -> None:
    toy = Story(
        "toy",
        (Step("risky", breaks, way_back="mend"),),
        status=InstanceStatus.UPGRADE,
        ways_back=((*MEND[0], Step("sweep", breaks, optional=True)),),
    )
    operation_id = shop.submit(toy)
    shop.worker(toy)
    ended = shop.end_of(operation_id)
    assert ended.error
    assert (ended.error["brief"], ended.instance.status) == ("It broke", InstanceStatus.ACTIVE)


def test_a_value_that_waits_for_a_restart_shows_in_the_status(shop: Shop) -> None:
    def change(ctx: Work) -> Done | Fail:
        return breaks(ctx) if ctx.inputs["fails"] else Done(record={"restart_required": True})

    toy = story(Step("change", change, harmless=True))
    operation_id = shop.submit(toy, fails=False)
    shop.worker(toy)
    ended = shop.end_of(operation_id)
    assert ended.instance.status == InstanceStatus.RESTART_REQUIRED
    ended = shop.end_of(shop.submit(toy, ended.instance_id, fails=True))
    assert ended.instance.status == InstanceStatus.RESTART_REQUIRED


def test_what_came_back_is_not_to_be_resumed(shop: Shop) -> None:
    error = InstarError("It broke", remedy="Mend it and resume the operation.")
    toy = story(Step("risky", lambda ctx: Fail(error), way_back="mend"))
    operation_id = shop.submit(toy)
    shop.worker(toy)
    ended = shop.end_of(operation_id)
    assert ended.error
    assert ended.error["remedy"] == "Mend it and send the request again."
