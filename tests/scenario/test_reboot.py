"""Reboot: the server goes down and comes up, and the database with it."""

import pytest

from instar.client.errors import OperationFailed
from instar.wire.errors import Busy, GuestError, ProviderError
from instar.wire.states import OperationState
from world import World


def reboots(world: World, instance_id: str) -> list[str]:
    return world.provider.servers[f"instar-{instance_id}"].reboots


def test_a_reboot_stops_the_database_first_and_serves_again(world: World) -> None:
    instance_id = world.create()
    order: list[str] = []
    world.guests.before["stop"] = lambda: order.append(f"stop after {len(reboots(world, instance_id))}")
    world.guests.before["start"] = lambda: order.append(f"start after {len(reboots(world, instance_id))}")
    operation = world.client.instances.reboot("demo")
    assert operation is not None
    assert world.client.operations.wait(operation).state == OperationState.SUCCEEDED
    assert order == ["stop after 0", "start after 1"]
    assert reboots(world, instance_id) == [operation.id]
    shown = world.client.instances.get(instance_id)
    assert (shown.status, shown.operating_status) == ("ACTIVE", "HEALTHY")


def test_while_it_reboots_the_status_is_reboot_and_nothing_else_is_taken(world: World) -> None:
    instance_id = world.create()
    world.provider.dials.fail_always("reboot_server", ProviderError("Come back later", retryable=True))
    operation = world.client.instances.reboot(instance_id)
    shown = world.client.instances.get(instance_id)
    assert (shown.status, shown.operating_status) == ("REBOOT", "")
    for again in (world.client.instances.reboot, world.client.instances.restart):
        with pytest.raises(Busy, match="reboot"):
            again(instance_id)
    world.provider.dials.clear("reboot_server")
    assert world.client.operations.wait(operation).state == OperationState.SUCCEEDED


def test_a_database_that_will_not_stop_does_not_hold_up_a_reboot(world: World) -> None:
    instance_id = world.create()
    world.guests.failing["stop"] = GuestError("It hangs")
    assert world.client.operations.wait(world.client.instances.reboot(instance_id)).state == "SUCCEEDED"
    assert len(reboots(world, instance_id)) == 1


def test_a_reboot_that_is_refused_leaves_the_database_serving(world: World) -> None:
    instance_id = world.create()
    world.provider.dials.fail_once("reboot_server", ProviderError("The provider refuses"))
    with pytest.raises(OperationFailed, match="provider refuses"):
        world.client.operations.wait(world.client.instances.reboot(instance_id))
    assert world.client.instances.get(instance_id).status == "ACTIVE"
    assert world.guests.servers[instance_id].running


def test_a_database_that_does_not_come_up_is_an_error_and_resumed(world: World) -> None:
    instance_id = world.create()
    world.guests.failing["start"] = GuestError("It does not come up")
    operation = world.client.instances.reboot(instance_id)
    with pytest.raises(OperationFailed, match="does not come up"):
        world.client.operations.wait(operation)
    shown = world.client.instances.get(instance_id)
    assert shown.status == "ERROR"
    assert shown.fault
    world.guests.failing.clear()
    world.client.operations.resume(operation)
    assert world.client.operations.wait(operation).state == OperationState.SUCCEEDED
    assert len(reboots(world, instance_id)) == 1
