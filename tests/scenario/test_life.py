"""The rest of an instance's life through the front door: create, restart, delete, presence, takeover."""

import configparser
from dataclasses import replace

import pytest

from instar.client.errors import OperationFailed
from instar.control import wiring
from instar.control.guests.presence import Presence
from instar.wire.agent import GUEST_AGENT
from instar.wire.errors import GuestError, NotFound, ProviderError
from instar.wire.states import OperationState
from waiting import until
from world import World


def test_a_created_instance_serves(world: World) -> None:
    instance_id = world.create()
    shown = world.client.instances.get("demo")
    assert (shown.status, shown.operating_status) == ("ACTIVE", "HEALTHY")
    assert (shown.engine_version, shown.agent_version, shown.port) == ("17.10", "1.0", 5432)
    assert shown.ip == [world.instance(instance_id).address]
    assert world.guests.databases[instance_id].databases == ["shop"]


@pytest.mark.parametrize("kind", ["directory", "disk"])
def test_a_guest_is_told_which_disk_is_its_volume_where_that_is_a_disk(world: World, kind: str) -> None:
    world.provider.abilities = replace(world.provider.abilities, volume_kind=kind)
    instance_id = world.create()
    (server,) = world.provider.servers.values()

    def told() -> dict[str, str | None]:
        said = configparser.ConfigParser()
        said.read_string(server.files[GUEST_AGENT])
        return {name: said["agent"].get(name) for name in ("volume_kind", "volume_id")}

    expected = {"volume_kind": kind, "volume_id": world.instance(instance_id).volume_id}
    if kind == "directory":
        expected = dict.fromkeys(expected)
    assert told() == expected
    server.files = {}
    world.client.operations.wait(world.client.instances.upgrade("demo", "18.6"))
    assert told() == expected


def test_a_create_that_failed_can_be_resumed(world: World) -> None:
    world.provider.dials.fail_once("ensure_volume", ProviderError("No space is left"))
    instance_id = world.create()
    shown = world.client.instances.get(instance_id)
    assert shown.status == "ERROR"
    assert shown.fault
    assert "No space" in shown.fault.message
    newest = next(iter(world.client.instances.operations(instance_id)))
    world.client.operations.resume(newest)
    assert world.client.operations.wait(newest).state == OperationState.SUCCEEDED
    assert world.client.instances.get(instance_id).status == "ACTIVE"


def test_what_succeeded_behind_our_back_is_found_and_not_made_twice(world: World) -> None:
    for verb in ("ensure_port", "ensure_volume", "ensure_server"):
        world.provider.dials.timeout_but_succeed(verb)
    world.create()
    assert world.client.instances.get("demo").status == "ACTIVE"
    assert len(world.provider.servers) == 1


def test_delete_leaves_nothing_and_hides_the_instance(world: World) -> None:
    instance_id = world.create()
    operation = world.client.instances.delete(instance_id)
    assert world.client.operations.wait(operation).state == OperationState.SUCCEEDED
    with pytest.raises(NotFound):
        world.client.instances.get(instance_id)
    assert list(world.client.instances.list()) == []
    assert world.provider.servers == {}
    assert world.provider.find_volume(f"instar-{instance_id}") is None
    assert world.provider.find_port(f"instar-{instance_id}") is None


def test_delete_removes_what_a_failed_create_left_unrecorded(world: World) -> None:
    world.provider.dials.fail_always("inspect_server", ProviderError("Nobody knows"))
    world.guests.failing["prepare"] = GuestError("No initdb")
    instance_id = world.create()
    world.provider.dials.clear("inspect_server")
    assert world.client.instances.get(instance_id).status == "ERROR"
    world.client.operations.wait(world.client.instances.delete(instance_id))
    assert world.provider.servers == {}


def test_delete_does_not_wait_for_a_guest_that_is_gone(world: World) -> None:
    instance_id = world.create()
    world.guests.silent.add(instance_id)
    operation = world.client.instances.delete(instance_id)
    assert world.client.operations.wait(operation).state == OperationState.SUCCEEDED


def test_restart(world: World) -> None:
    instance_id = world.create()
    operation = world.client.instances.restart(instance_id)
    assert world.client.operations.wait(operation).state == OperationState.SUCCEEDED
    assert (instance_id, "restart") in world.guests.calls
    assert world.client.instances.get(instance_id).operating_status == "HEALTHY"


def test_a_restart_that_fails_is_an_error_with_a_fault(world: World) -> None:
    instance_id = world.create()
    world.guests.failing["restart"] = GuestError("It does not come up")
    with pytest.raises(OperationFailed, match="does not come up"):
        world.client.operations.wait(world.client.instances.restart(instance_id))
    assert world.client.instances.get(instance_id).status == "ERROR"


def test_presence_tells_a_database_that_went_down_and_a_guest_that_fell_silent(world: World) -> None:
    instance_id = world.create()
    presence = Presence(world.house.store, world.guests, interval=0.01, limit=0.05)
    world.guests.servers[instance_id].running = False
    presence.start()
    until(lambda: world.client.instances.get(instance_id).operating_status == "SHUTDOWN")
    world.guests.silent.add(instance_id)
    until(lambda: world.client.instances.get(instance_id).operating_status == "ERROR")
    world.guests.silent.clear()
    world.guests.servers[instance_id].running = True
    until(lambda: world.client.instances.get(instance_id).operating_status == "HEALTHY")
    presence.stop()


def test_another_worker_goes_on_where_one_stopped(world: World) -> None:
    instance_id = world.create()
    world.guests.silent.add(instance_id)
    operation = world.client.instances.upgrade(instance_id, "18.6")
    assert operation
    until(lambda: world.client.operations.get(operation).reason)
    world.worker.stop()
    world.guests.silent.clear()
    other = wiring.make_worker(world.house, world.guests, world.outages)
    other.start()
    assert world.client.operations.wait(operation).state == OperationState.SUCCEEDED
    other.stop()
