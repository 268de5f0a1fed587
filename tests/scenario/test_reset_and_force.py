"""Last resorts: reset of a status, delete by force, stop, rebuild; none of them lies of the machine."""

import pytest

from instar.client.errors import OperationFailed
from instar.control import wiring
from instar.wire.errors import Busy, GuestError, NotFound, ProviderError
from instar.wire.states import OperationState
from waiting import until
from world import World


def held_up(world: World, verb: str = "rebuild_server") -> str:
    """Make an instance whose upgrade waits for its provider, and end the worker; gives its id."""
    instance_id = world.create()
    world.provider.dials.fail_always(verb, ProviderError("Come back later", retryable=True))
    operation = world.client.instances.upgrade(instance_id, "18.6")
    assert operation is not None
    until(lambda: world.client.operations.get(operation).reason)
    world.worker.stop()
    world.provider.dials.clear(verb)
    return instance_id


def test_a_reset_ends_what_nobody_works_on_and_says_who(world: World) -> None:
    instance_id = held_up(world)
    world.client.instances.reset_status(instance_id)
    shown = world.client.instances.get(instance_id)
    assert (shown.status, shown.operating_status, shown.operation) == ("ERROR", "", None)
    assert shown.fault
    assert "reset by admin" in shown.fault.message
    operation = next(iter(world.client.instances.operations(instance_id)))
    assert (operation.state, operation.step) == (OperationState.FAILED, "rebuild")
    assert shown.datastore["version"] == "17.10"


def test_a_reset_operation_may_be_resumed(world: World) -> None:
    instance_id = held_up(world)
    world.client.instances.reset_status(instance_id)
    operation = next(iter(world.client.instances.operations(instance_id)))
    world.client.operations.resume(operation)
    other = wiring.make_worker(world.house, world.guests, world.outages)
    other.start()
    assert world.client.operations.wait(operation).state == OperationState.SUCCEEDED
    other.stop()
    assert world.client.instances.get(instance_id).datastore["version"] == "18.6"


def test_a_reset_before_anything_was_done_leaves_the_instance_as_it_was(world: World) -> None:
    instance_id = held_up(world, "stage")
    world.client.instances.reset_status(instance_id)
    shown = world.client.instances.get(instance_id)
    assert (shown.status, shown.fault, shown.datastore["version"]) == ("ACTIVE", None, "17.10")


def test_a_reset_makes_nothing_of_an_error_but_an_error(world: World) -> None:
    instance_id = world.create()
    world.guests.failing["restart"] = GuestError("It does not come up")
    with pytest.raises(OperationFailed):
        world.client.operations.wait(world.client.instances.restart(instance_id))
    before = world.client.instances.get(instance_id).fault
    world.client.instances.reset_status(instance_id)
    shown = world.client.instances.get(instance_id)
    assert (shown.status, shown.fault) == ("ERROR", before)


def test_a_step_that_runs_is_not_reset(world: World) -> None:
    instance_id = world.create()
    refused: list[Exception] = []

    def meanwhile() -> None:
        try:
            world.client.instances.reset_status(instance_id)
        except Busy as error:
            refused.append(error)

    world.guests.before["restart"] = meanwhile
    operation = world.client.instances.restart(instance_id)
    assert world.client.operations.wait(operation).state == OperationState.SUCCEEDED
    assert [("a worker is at work on it" in str(error)) for error in refused] == [True]


def test_a_delete_by_force_takes_an_open_operation_with_it(world: World) -> None:
    instance_id = held_up(world)
    held = next(iter(world.client.instances.operations(instance_id)))
    operation = world.client.instances.force_delete(instance_id)
    other = wiring.make_worker(world.house, world.guests, world.outages)
    other.start()
    assert world.client.operations.wait(operation).state == OperationState.SUCCEEDED
    other.stop()
    assert world.client.operations.get(held).state == OperationState.FAILED
    assert world.provider.servers == {}
    assert world.provider.find_volume(f"instar-{instance_id}") is None
    with pytest.raises(NotFound):
        world.client.instances.get(instance_id)


def test_a_worker_that_was_at_work_writes_nothing_after_a_delete_by_force(world: World) -> None:
    instance_id = world.create()
    begun: list[object] = []
    world.guests.before["restart"] = lambda: begun.append(world.client.instances.force_delete(instance_id))
    restart = world.client.instances.restart(instance_id)
    until(lambda: begun)
    assert restart is not None
    ended = world.client.operations.get(restart)
    assert ended.state == OperationState.FAILED
    assert ended.error
    assert "reset by admin" in ended.error.brief
    assert world.client.instances.get(instance_id).status == "SHUTDOWN"


def test_a_delete_by_force_does_not_miss_a_guest_and_a_server_that_are_gone(world: World) -> None:
    instance_id = world.create()
    world.guests.failing["restart"] = GuestError("It does not come up")
    with pytest.raises(OperationFailed):
        world.client.operations.wait(world.client.instances.restart(instance_id))
    world.provider.lose_server(f"instar-{instance_id}")
    operation = world.client.instances.force_delete(instance_id)
    assert world.client.operations.wait(operation).state == OperationState.SUCCEEDED
    assert world.provider.find_port(f"instar-{instance_id}") is None


def test_a_stopped_database_stays_down_until_a_restart(world: World) -> None:
    instance_id = world.create()
    assert world.client.operations.wait(world.client.instances.stop("demo")).state == "SUCCEEDED"
    shown = world.client.instances.get(instance_id)
    assert (shown.status, shown.operating_status) == ("ACTIVE", "SHUTDOWN")
    world.client.operations.wait(world.client.instances.restart("demo"))
    assert world.client.instances.get(instance_id).operating_status == "HEALTHY"


def test_a_stop_that_fails_leaves_the_database_serving(world: World) -> None:
    instance_id = world.create()
    world.guests.failing["stop"] = GuestError("A checkpoint fails")
    with pytest.raises(OperationFailed, match="checkpoint"):
        world.client.operations.wait(world.client.instances.stop("demo"))
    assert world.client.instances.get(instance_id).operating_status == "HEALTHY"


@pytest.mark.parametrize("named", [False, True])
def test_a_rebuild_puts_an_image_onto_the_instance_and_keeps_its_version(world: World, named: bool) -> None:
    instance_id = world.create()
    known = world.provider.image(world.instance(instance_id).image or "").manifest
    other = world.provider.add_image(known.model_copy(update={"digest": "", "agent_version": "1.1"}))
    operation = world.client.instances.rebuild("demo", other if named else None)
    assert world.client.operations.wait(operation).state == OperationState.SUCCEEDED
    shown = world.client.instances.get(instance_id)
    assert (shown.status, shown.datastore["version"]) == ("ACTIVE", "17.10")
    assert shown.agent_version == ("1.1" if named else "1.0")
    assert len(world.provider.servers[f"instar-{instance_id}"].rebuilds) == 1
    assert world.guests.databases[instance_id].databases == ["shop"]


def test_a_rebuild_onto_an_unknown_image_is_refused_before_any_downtime(world: World) -> None:
    instance_id = world.create()
    with pytest.raises(OperationFailed, match="no-such-image"):
        world.client.operations.wait(world.client.instances.rebuild("demo", "no-such-image"))
    assert world.client.instances.get(instance_id).status == "ACTIVE"
    assert (instance_id, "pre_upgrade") not in world.guests.calls
