"""A worker that was away for longer than its lease acts on no machine and no guest when it comes back."""

from typing import Any

import pytest

from instar.control import wiring
from instar.control.engine.lease import Leases
from instar.control.engine.runner import Runner, Work
from instar.control.operations.stories import STORIES
from instar.control.store.tables import Operation
from world import World

ACTS = {"pre_upgrade": "pre_upgrade", "rebuild": None, "post_upgrade": "post_upgrade", "tidy": "settle"}
"""Steps of an upgrade that act, and the hook of the guest's that each of them runs as a job."""


@pytest.mark.parametrize("step", ACTS)
def test_a_worker_whose_lease_was_lost_does_nothing(world: World, step: str) -> None:
    instance_id = world.create()
    world.worker.stop()
    operation = world.client.instances.upgrade(instance_id, "18.6")
    before = _acts(world, step)
    other = wiring.make_worker(world.house, world.guests, world.outages)

    def frozen(work: Work) -> Any:
        """Have the lease run out just before the step."""
        if work.step == step:
            with world.house.store.begin() as session:
                session.get_one(Operation, work.operation_id).lease_until = 0.0
        return other.runner.make_context(work)

    leases = Leases(world.house.store, "frozen", 60.0, cap=4)
    claim = leases.claim(leases.due(1, list(STORIES))[0], capped=True)
    assert claim
    Runner(leases, STORIES, frozen).run(claim)
    assert world.client.operations.get(operation).step == step
    assert _acts(world, step) == before

    other.start()
    try:
        world.client.operations.wait(operation)
    finally:
        other.stop()
    assert _acts(world, step) == before + 1
    assert world.instance(instance_id).engine_version == "18.6"


def _acts(world: World, step: str) -> int:
    """Count how often the step acted, on the guest or on the machine."""
    hook = ACTS[step]
    hooks = [name for _, name in world.guests.calls]
    return hooks.count(hook) if hook else world.provider.calls["rebuild_server"]
