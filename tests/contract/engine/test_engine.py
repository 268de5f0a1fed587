"""What the engine promises, on every record store."""

import threading
from collections import Counter

import pytest
from conftest_engine import Shop
from sqlalchemy.exc import OperationalError

from instar.control.engine import retention
from instar.control.engine.lease import LeaseLost, Leases
from instar.control.engine.outcomes import Done, Fail, Goto, Step, Story, Wait
from instar.control.engine.runner import Runner, Work
from instar.control.engine.submit import reopen
from instar.control.store.session import Store
from instar.control.store.tables import Instance, Operation
from instar.wire.errors import Busy, InstarError
from instar.wire.states import InstanceStatus, OperationState, StepState, Stretch
from waiting import until


class Killed(BaseException):
    """Stands for kill -9: nothing of ours catches it, nothing is written."""


def story(*steps: Step[Work], **rest: object) -> Story[Work]:
    return Story(kind="toy", steps=steps, status=InstanceStatus.UPGRADE, **rest)  # type: ignore[arg-type]


def test_a_story_runs_to_its_end_and_the_record_tells_it(shop: Shop) -> None:
    toy = story(
        Step("one", lambda ctx: Done({"seen": 1})),
        Step(
            "two",
            lambda ctx: Done({"saw": ctx.outputs["one"]["seen"]}, record={"address": "a"}),
            Stretch.SWITCH,
        ),
    )
    operation_id = shop.submit(toy)
    assert shop.operation(operation_id).instance.status == InstanceStatus.UPGRADE
    shop.worker(toy)
    ended = shop.end_of(operation_id)
    assert (ended.state, ended.instance.status, ended.instance.address) == ("SUCCEEDED", "ACTIVE", "a")
    assert ended.outputs == {"one": {"seen": 1}, "two": {"saw": 1}}
    assert [(step.name, step.state) for step in shop.steps(operation_id)] == [
        ("one", "DONE"),
        ("two", "DONE"),
    ]
    assert (ended.slot, ended.permit, ended.lease_until) == (None, None, None)
    assert ended.downtime is not None
    kinds = [event.kind for event in shop.events(operation_id)]
    assert kinds == ["trove.toy.start", "step", "step", "trove.toy.end"]


def test_one_open_operation_an_instance(shop: Shop) -> None:
    toy = story(Step("one", lambda ctx: Done()))
    instance_id = shop.instance()
    first = shop.submit(toy, instance_id)
    with pytest.raises(Busy, match=first):
        shop.submit(toy, instance_id)
    shop.worker(toy)
    shop.end_of(first)
    assert shop.submit(toy, instance_id) != first


def test_of_two_submissions_at_the_same_moment_one_wins(shop: Shop) -> None:
    toy = story(Step("one", lambda ctx: Done()))
    instance_id = shop.instance()
    outcomes: list[object] = []
    gate = threading.Barrier(4)

    def try_it() -> None:
        gate.wait()
        try:
            outcomes.append(shop.submit(toy, instance_id))
        except Busy as error:
            outcomes.append(error)

    threads = [threading.Thread(target=try_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(isinstance(outcome, Busy) for outcome in outcomes) == {True: 3, False: 1}


@pytest.mark.parametrize("victim", ["one", "two", "three"])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_another_worker_takes_over_from_one_that_was_killed(shop: Shop, victim: str) -> None:
    runs: Counter[str] = Counter()

    def run(ctx: Work) -> Done:
        runs[ctx.step] += 1
        if ctx.step == victim and runs[victim] == 1:
            raise Killed
        return Done()

    toy = story(*(Step(name, run) for name in ("one", "two", "three")))
    operation_id = shop.submit(toy)
    dying = Leases(shop.store, "dying", 0.2, 4)
    claim = dying.claim(dying.due(1, ["toy"])[0], capped=True)
    assert claim
    with pytest.raises(Killed):
        Runner(dying, {"toy": toy}, lambda work: work).run(claim)
    assert shop.operation(operation_id).cursor == victim
    shop.worker(toy)
    assert shop.end_of(operation_id).state == OperationState.SUCCEEDED
    assert runs == {name: 2 if name == victim else 1 for name in ("one", "two", "three")}


def test_a_worker_that_lost_its_lease_writes_nothing(shop: Shop) -> None:
    toy = story(Step("one", lambda ctx: Done({"by": "the other"})))
    operation_id = shop.submit(toy)
    frozen = Leases(shop.store, "frozen", 0.1, 4)
    claim = frozen.claim(frozen.due(1, ["toy"])[0], capped=True)
    assert claim
    assert frozen.still_mine(claim)
    shop.worker(toy)
    assert shop.end_of(operation_id).outputs == {"one": {"by": "the other"}}
    assert not frozen.still_mine(claim)
    frozen.renew([claim])
    assert not frozen.still_mine(claim)
    with pytest.raises(LeaseLost), frozen.holding(claim) as (_, operation):
        operation.outputs = {"by": "the frozen one"}
    assert shop.operation(operation_id).outputs == {"one": {"by": "the other"}}


def test_a_step_longer_than_the_lease_runs_once(shop: Shop) -> None:
    runs: list[str] = []

    def long(ctx: Work) -> Done:
        runs.append(ctx.operation_id)
        begun = shop.operation(ctx.operation_id).lease_until or 0.0
        until(lambda: (shop.operation(ctx.operation_id).lease_until or 0.0) > begun + 1.6)
        ctx.check_mine()
        return Done()

    toy = story(Step("one", long))
    operation_id = shop.submit(toy)
    for _ in range(3):
        shop.worker(toy, lease=1.5)
    assert shop.end_of(operation_id).state == OperationState.SUCCEEDED
    assert len(runs) == 1


def test_the_cap_holds_over_all_workers(shop: Shop) -> None:
    inside, most, lock = 0, 0, threading.Lock()
    full = threading.Event()

    def run(ctx: Work) -> Done:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
            if inside == 2:
                full.set()
        assert full.wait(10)
        with lock:
            inside -= 1
        return Done()

    toy = story(Step("one", run))
    operations = [shop.submit(toy) for _ in range(6)]
    for _ in range(3):
        shop.worker(toy, cap=2)
    assert [shop.end_of(operation).state for operation in operations] == ["SUCCEEDED"] * 6
    assert most == 2


def test_a_wait_gives_the_thread_back_and_tells_its_reason(shop: Shop) -> None:
    ready = threading.Event()
    slow = Step("one", lambda ctx: Done() if ready.is_set() else Wait(0.2, "not yet", percent=5.0))
    waiting = Story("slow", (slow,), status=InstanceStatus.UPGRADE)
    quick = story(Step("one", lambda ctx: Done()))
    first = shop.submit(waiting)
    shop.worker(waiting, quick, threads=1)
    until(lambda: shop.operation(first).reason == "not yet")
    assert shop.end_of(shop.submit(quick)).state == OperationState.SUCCEEDED
    assert shop.operation(first).percent == 5.0
    ready.set()
    assert shop.end_of(first).state == OperationState.SUCCEEDED


def test_a_deadline_passes_only_when_nothing_moves(shop: Shop) -> None:
    looks: Counter[str] = Counter()

    def moving(ctx: Work) -> Done | Wait:
        looks["moving"] += 1
        return Done() if ctx.waited > 1.0 else Wait(0.11, "moving", moved=looks["moving"])

    toy = story(
        Step("moving", moving, patience=0.5),
        Step("stuck", lambda ctx: Wait(0.11, "the cat sleeps", moved=1.0), patience=0.3),
    )
    operation_id = shop.submit(toy)
    shop.worker(toy)
    ended = shop.end_of(operation_id)
    assert ended.error
    assert (ended.state, ended.cursor, ended.error["code"]) == ("FAILED", "stuck", "deadline_passed")
    assert "the cat sleeps" in ended.error["seen"]
    assert ended.instance.status == InstanceStatus.ERROR
    assert ended.instance.fault
    assert "the cat sleeps" in ended.instance.fault["message"]


def test_an_error_that_may_pass_is_tried_again(shop: Shop) -> None:
    tries: Counter[str] = Counter()

    def run(ctx: Work) -> Done:
        tries["one"] += 1
        if tries["one"] < 3:
            raise InstarError("Away for a moment", retryable=True)
        return Done()

    toy = story(Step("one", run))
    operation_id = shop.submit(toy)
    shop.worker(toy)
    assert shop.end_of(operation_id).state == OperationState.SUCCEEDED
    assert tries["one"] == 3


def test_an_unexpected_error_becomes_a_fault_without_a_traceback(shop: Shop) -> None:
    toy = story(Step("one", lambda ctx: Done({"ratio": 1 / (ctx.resumes - ctx.resumes)})))
    operation_id = shop.submit(toy)
    shop.worker(toy)
    ended = shop.end_of(operation_id)
    assert ended.instance.status == InstanceStatus.ERROR
    assert ended.error
    assert "ZeroDivisionError" in ended.error["seen"]
    assert "Traceback" not in str(ended.error)


def test_the_way_back_leaves_the_instance_as_it_was_and_the_error_as_it_began(shop: Shop) -> None:
    toy = story(
        Step("risky", lambda ctx: Fail(InstarError("It broke")), way_back="mend"),
        Step("never", lambda ctx: Done()),
        ways_back=((Step("mend", lambda ctx: Done()),),),
    )
    operation_id = shop.submit(toy)
    shop.worker(toy)
    ended = shop.end_of(operation_id)
    assert ended.error
    assert (ended.state, ended.error["brief"]) == ("FAILED", "It broke")
    assert (ended.instance.status, ended.instance.fault) == ("ACTIVE", None)
    assert [(step.name, step.state) for step in shop.steps(operation_id)] == [
        ("risky", StepState.FAILED),
        ("mend", StepState.DONE),
    ]


def test_a_way_back_that_fails_says_both(shop: Shop) -> None:
    toy = story(
        Step("risky", lambda ctx: Fail(InstarError("It broke")), way_back="mend"),
        ways_back=((Step("mend", lambda ctx: Fail(InstarError("No glue"))),),),
    )
    operation_id = shop.submit(toy)
    shop.worker(toy)
    fault = shop.end_of(operation_id).instance.fault
    assert fault
    assert "No glue" in fault["message"]
    assert "It broke" in fault["message"]


def test_harmless_and_optional_steps(shop: Shop) -> None:
    harmless = story(Step("look", lambda ctx: Fail(InstarError("Not today")), harmless=True))
    optional = Story(
        "optional",
        (
            Step("sweep", lambda ctx: Fail(InstarError("No broom")), optional=True),
            Step("end", lambda ctx: Done()),
        ),
        status=InstanceStatus.UPGRADE,
    )
    shop.worker(harmless, optional)
    looked = shop.end_of(shop.submit(harmless))
    assert (looked.state, looked.instance.status) == ("FAILED", "ACTIVE")
    swept = shop.submit(optional)
    assert shop.end_of(swept).state == OperationState.SUCCEEDED
    assert [step.state for step in shop.steps(swept)] == [StepState.FAILED, StepState.DONE]


def test_goto_skips_what_lies_between(shop: Shop) -> None:
    toy = story(
        Step("one", lambda ctx: Goto("three")),
        Step("two", lambda ctx: Done()),
        Step("three", lambda ctx: Done()),
    )
    operation_id = shop.submit(toy)
    shop.worker(toy)
    shop.end_of(operation_id)
    assert [step.name for step in shop.steps(operation_id)] == ["one", "three"]


def test_a_failed_step_runs_again_after_resume(shop: Shop) -> None:
    mended = threading.Event()
    toy = story(
        Step("one", lambda ctx: Done()),
        Step("two", lambda ctx: Done({"n": ctx.resumes}) if mended.is_set() else Fail(InstarError("Broken"))),
    )
    operation_id = shop.submit(toy)
    shop.worker(toy)
    assert shop.end_of(operation_id).instance.status == InstanceStatus.ERROR
    mended.set()
    with shop.store.begin() as session:
        reopen(session, shop.store.now(session), toy, session.get_one(Operation, operation_id))
    ended = shop.end_of(operation_id)
    assert (ended.state, ended.instance.status, ended.instance.fault) == ("SUCCEEDED", "ACTIVE", None)
    assert ended.outputs["two"] == {"n": 1}
    assert [step.name for step in shop.steps(operation_id)] == ["one", "two", "two"]


def test_a_release_that_does_not_know_the_step_says_so_and_stops(shop: Shop) -> None:
    old = story(Step("bygone", lambda ctx: Done()))
    operation_id = shop.submit(old)
    renamed = story(Step("modern", lambda ctx: Done()))
    shop.worker(renamed)
    ended = shop.end_of(operation_id)
    assert ended.error
    assert (ended.state, ended.error["code"]) == ("FAILED", "story")
    assert "bygone" in ended.error["brief"]


def test_a_step_is_found_by_the_name_an_older_release_gave_it(shop: Shop) -> None:
    operation_id = shop.submit(story(Step("bygone", lambda ctx: Done())))
    shop.worker(story(Step("modern", lambda ctx: Done(), aliases=("bygone",))))
    assert shop.end_of(operation_id).state == OperationState.SUCCEEDED


def test_a_step_may_not_set_the_status(shop: Shop) -> None:
    toy = story(Step("one", lambda ctx: Done(record={"status": "ACTIVE"})))
    operation_id = shop.submit(toy)
    shop.worker(toy, lease=0.3)
    ended = shop.end_of(operation_id)
    assert ended.error
    assert (ended.state, ended.error["code"]) == ("FAILED", "story")


def test_ended_operations_are_forgotten_after_their_time(shop: Shop) -> None:
    toy = story(Step("one", lambda ctx: Done()))
    done, still_open = shop.submit(toy), None
    shop.worker(toy).wake()
    shop.end_of(done)
    for worker in shop.workers:
        worker.stop()
    shop.workers.clear()
    still_open = shop.submit(toy)
    assert retention.forget(shop.store, keep=3600.0) == 0
    assert retention.forget(shop.store, keep=-1.0) == 1
    with shop.store.read() as session:
        assert session.get(Operation, done) is None
        assert session.get(Operation, still_open) is not None
        assert session.query(Instance).count() == 2


def test_leases_keep_their_fractions(shop: Shop) -> None:
    shop.submit(story(Step("one", lambda ctx: Done())))
    leases = Leases(shop.store, "me", 5.125, 4)
    claim = leases.claim(leases.due(1, ["toy"])[0], capped=True)
    assert claim
    with shop.store.begin() as session:
        operation = session.get_one(Operation, claim.operation_id)
        assert operation.lease_until
        assert 4.0 < operation.lease_until - shop.store.now(session) <= 5.125
    assert leases.due(1, ["toy"]) == []


def test_a_question_is_answered_while_the_cap_is_reached(shop: Shop) -> None:
    over = threading.Event()
    slow = story(Step("one", lambda ctx: Done() if over.is_set() else Wait(0.05, "busy")))
    quiet = Story("quiet", (Step("ask", lambda ctx: Done({"answer": 42})),), exclusive=False, quiet=True)
    operations = [shop.submit(slow) for _ in range(5)]
    shop.worker(slow, quiet, cap=1, threads=2)
    until(lambda: [shop.operation(each).reason for each in operations].count("busy") == 1)
    asked = shop.end_of(shop.submit(quiet))
    assert (asked.state, asked.outputs) == ("SUCCEEDED", {"ask": {"answer": 42}})
    assert asked.instance.status == "ACTIVE"
    assert shop.events(asked.id) == []
    over.set()
    assert {shop.end_of(each).state for each in operations} == {"SUCCEEDED"}


def test_what_cannot_be_written_becomes_a_failure(shop: Shop) -> None:
    toy = story(Step("one", lambda ctx: Done({"when": object()})))
    operation_id = shop.submit(toy)
    shop.worker(toy)
    ended = shop.end_of(operation_id)
    assert ended.error
    assert (ended.state, ended.error["code"]) == ("FAILED", "story")
    assert ended.instance.status == InstanceStatus.ERROR


def test_work_that_begins_anew_again_and_again_has_not_moved(shop: Shop) -> None:
    looks: Counter[str] = Counter()

    def sisyphus(ctx: Work) -> Wait:
        looks["one"] += 1
        if looks["one"] % 2:
            raise InstarError("The stone rolled down", retryable=True)
        return Wait(0.11, "uphill", moved=float(looks["one"] % 4))

    toy = story(Step("one", sisyphus, patience=1.0))
    operation_id = shop.submit(toy)
    shop.worker(toy)
    ended = shop.end_of(operation_id)
    assert ended.error
    assert ended.error["code"] == "deadline_passed"


def test_a_kind_of_another_release_is_left_alone(shop: Shop) -> None:
    known = story(Step("one", lambda ctx: Done()))
    foreign = Story("foreign", (Step("one", lambda ctx: Done()),), status=InstanceStatus.UPGRADE)
    left = shop.submit(foreign)
    shop.worker(known)
    shop.end_of(shop.submit(known))
    assert (shop.operation(left).state, shop.operation(left).fence) == (OperationState.OPEN, 0)
    shop.worker(known, foreign)
    assert shop.end_of(left).state == OperationState.SUCCEEDED


def test_a_worker_frozen_in_a_transaction_holds_nobody_up(shop: Shop) -> None:
    if shop.store.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has no server that could end a transaction: one frozen process stops all")
    toy = story(Step("one", lambda ctx: Done()))
    operation_id = shop.submit(toy)
    frozen = Leases(Store(shop.store.url.render_as_string(hide_password=False), stuck=1.0), "a", 0.05, cap=4)
    claim = frozen.claim(frozen.due(1, ["toy"])[0], capped=True)
    assert claim

    def freeze() -> None:
        with frozen.holding(claim) as (session, _, _):
            shop.worker(toy)
            assert shop.end_of(operation_id).state == OperationState.SUCCEEDED
            frozen.store.now(session)

    with pytest.raises(OperationalError):
        freeze()
    with pytest.raises(LeaseLost), frozen.holding(claim):
        pass
    frozen.store.close()
