"""What goes wrong around an upgrade ends as the policy says, with an error that names it and a way on."""

import time
from collections.abc import Callable

import picture
import pytest
from life_stories import serving, upgrades
from small_world import CALLER, SmallWorld, small_world
from taps import Point, Tap

from instar.control import settings
from instar.control.operations import resume, turn_back
from instar.control.store.tables import Operation
from instar.wire.errors import ErrorBody
from instar.wire.plans import OnFailure

NEW = "fake:postgresql-18.6:18.6:1.0"


def lose_image(world: SmallWorld) -> Callable[[], None]:
    image = world.provider._images[NEW]
    world.provider.lose_image(NEW)
    return lambda: world.provider._images.update({NEW: image})


def damage_image(world: SmallWorld) -> Callable[[], None]:
    world.provider.damaged.add(NEW)
    return lambda: world.provider.damaged.discard(NEW)


def swap_agent(world: SmallWorld) -> Callable[[], None]:
    world.provider.swap_agent(NEW, "0.9")
    return world.provider._agents.clear


def never_boot(world: SmallWorld) -> Callable[[], None]:
    world.provider.dead.add(NEW)
    return lambda: world.provider.dead.discard(NEW)


BEFORE_DOWNTIME = [(lose_image, "No image"), (damage_image, "is damaged")]
SOON = Point("await_agent", "guest", "info", 3, "before")
"""An agent that has not answered twice is waited for in vain: its time may as well be over."""
AFTER_DOWNTIME = [
    pytest.param(lose_image, "rebuild", "No image", id="image lost"),
    pytest.param(damage_image, "rebuild", "is damaged", id="image damaged"),
    pytest.param(swap_agent, "preflight", "agent version should be '1.0' and is '0.9'", id="wrong agent"),
    pytest.param(never_boot, "preflight", "does not answer", id="never boots"),
]


@pytest.mark.parametrize(("accident", "told"), BEFORE_DOWNTIME)
def test_what_is_seen_before_the_downtime_is_refused(
    accident: Callable[[SmallWorld], Callable[[], None]], told: str
) -> None:
    with small_world() as world:
        instance_id = serving(world)
        before = picture.take(world, instance_id)
        mend = accident(world)
        operation_id = upgrades("18.6")(world, instance_id)
        world.settle()
        assert told in error_of(world, operation_id)
        assert picture.take(world, instance_id) == before
        mend()
        upgrades("18.6")(world, instance_id)
        world.settle()
        assert ended(world, instance_id) == ("ACTIVE", "18.6")


@pytest.mark.parametrize("on_failure", ["error", "rollback"])
@pytest.mark.parametrize(("accident", "step", "told"), AFTER_DOWNTIME)
def test_what_happens_in_the_downtime_ends_as_the_policy_says(
    accident: Callable[[SmallWorld], Callable[[], None]], step: str, told: str, on_failure: OnFailure
) -> None:
    with small_world() as world:
        instance_id = serving(world)
        before = picture.machine(world, world.instance(instance_id))
        operation_id = upgrades("18.6", on_failure=on_failure)(world, instance_id)
        mends: list[Callable[[], None]] = []
        entered = lambda name: mends.append(accident(world)) if name == step else None  # noqa: E731
        world.drive(world.worker(Tap(SOON, lambda: pass_time(world), entered)))
        assert told in error_of(world, operation_id)
        if on_failure == "rollback":
            assert ended(world, instance_id) == ("ACTIVE", "17.10")
            assert picture.machine(world, world.instance(instance_id)) == before
            return
        assert ended(world, instance_id) == ("ERROR", "17.10")
        assert told in (world.instance(instance_id).fault or {})["message"]
        assert verbs(world, operation_id)[0] == "resume"
        mends[0]()
        if accident in (swap_agent, never_boot):  # what booted stays as it is: the way is back
            turn_back.roll_back(
                world.desk, CALLER, operation_id, discard_writes_since=taken_at(world, operation_id)
            )
        else:
            resume.request(world.desk, CALLER, operation_id)
        world.settle()
        version = "17.10" if accident in (swap_agent, never_boot) else "18.6"
        assert ended(world, instance_id) == ("ACTIVE", version)


@pytest.mark.parametrize("jump", [-86400.0, 86400.0])
@pytest.mark.parametrize("step", ["stage", "snapshot", "post_upgrade", "verify"])
def test_a_worker_whose_clock_jumps_finishes(monkeypatch: pytest.MonkeyPatch, step: str, jump: float) -> None:
    with small_world() as world:
        instance_id = serving(world)
        upgrades("18.6")(world, instance_id)
        real = time.time

        def entered(name: str) -> None:
            if name == step:
                monkeypatch.setattr(time, "time", lambda: real() + jump)

        worker = world.worker(Tap(entered=entered))
        world.drive(worker)
        assert ended(world, instance_id) == ("ACTIVE", "18.6")
        assert picture.leaks(world, world.instance(instance_id)) == []


def test_another_worker_takes_over_within_fifteen_seconds_by_default() -> None:
    assert settings.worker(settings.load([])).lease <= 15


def pass_time(world: SmallWorld) -> None:
    world.leaps.leapt += 600


def ended(world: SmallWorld, instance_id: str) -> tuple[str, str]:
    row = world.instance(instance_id)
    return row.status, row.version.name


def error_of(world: SmallWorld, operation_id: str) -> str:
    return ErrorBody.model_validate(world.operation(operation_id).error).sentence()


def taken_at(world: SmallWorld, operation_id: str) -> str:
    return str(world.operation(operation_id).outputs["snapshot"]["taken_at"])


def verbs(world: SmallWorld, operation_id: str) -> list[str]:
    with world.house.store.read() as session:
        return turn_back.verbs(session, session.get_one(Operation, operation_id))
