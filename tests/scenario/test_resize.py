"""Resize: another flavor for the server, a larger volume; who asks for what can't be is told so at once."""

from dataclasses import replace

import pytest

from instar.client.errors import OperationFailed
from instar.wire.errors import BadRequest, Busy, GuestError, NotFound, NotSupported, ProviderError
from instar.wire.states import OperationState
from world import World


def size(world: World, instance_id: str) -> tuple[str, str, int | None]:
    """Give the flavor on record and at the provider, and the memory that the guest knows of."""
    server = world.provider.servers[f"instar-{instance_id}"]
    return world.instance(instance_id).flavor_id, server.flavor, world.guests.servers[instance_id].ram


def volume(world: World, instance_id: str) -> tuple[int, int]:
    """Give the volume's size on record and at the provider."""
    row = world.instance(instance_id)
    seen = world.provider.inspect_volume(row.volume or {})
    assert seen is not None
    return row.volume_size, seen.size


def test_an_instance_gets_another_flavor(world: World) -> None:
    instance_id = world.create()
    order: list[str] = []
    for hook in ("stop", "resized", "start"):
        world.guests.before[hook] = lambda hook=hook: order.append(hook)  # type: ignore[misc]
    operation = world.client.instances.resize("demo", "2")
    assert world.client.operations.wait(operation).state == OperationState.SUCCEEDED
    assert order == ["stop", "resized", "start"]
    assert size(world, instance_id) == ("2", "2", 2048)
    shown = world.client.instances.get(instance_id)
    assert (shown.status, shown.operating_status, shown.flavor["id"]) == ("ACTIVE", "HEALTHY", "2")
    assert len(world.provider.servers) == 1


def test_while_it_is_resized_the_status_is_resize_and_nothing_else_is_taken(world: World) -> None:
    instance_id = world.create()
    world.provider.dials.fail_always("resize_server", ProviderError("Come back later", retryable=True))
    operation = world.client.instances.resize(instance_id, "2")
    shown = world.client.instances.get(instance_id)
    assert (shown.status, shown.operating_status, shown.flavor["id"]) == ("RESIZE", "", "1")
    with pytest.raises(Busy, match="resize"):
        world.client.instances.resize_volume(instance_id, 2)
    world.provider.dials.clear("resize_server")
    assert world.client.operations.wait(operation).state == OperationState.SUCCEEDED


@pytest.mark.parametrize("verb", ["resize_server", "inspect_volume"])
def test_a_resize_that_fails_leaves_the_old_size_serving(world: World, verb: str) -> None:
    instance_id = world.create()
    world.provider.dials.fail_always(verb, ProviderError("No host has room"))
    if verb == "resize_server":  # the way back has to be able to give the old size again
        world.provider.dials.clear(verb)
        world.provider.dials.fail_once(verb, ProviderError("No host has room"))
    with pytest.raises(OperationFailed, match="No host has room"):
        world.client.operations.wait(world.client.instances.resize(instance_id, "2"))
    assert size(world, instance_id)[:2] == ("1", "1")
    assert world.client.instances.get(instance_id).status == "ACTIVE"
    assert world.guests.servers[instance_id].running


def test_a_database_that_will_not_stop_is_not_resized(world: World) -> None:
    instance_id = world.create()
    world.guests.failing["stop"] = GuestError("A checkpoint fails")
    with pytest.raises(OperationFailed, match="checkpoint"):
        world.client.operations.wait(world.client.instances.resize(instance_id, "2"))
    assert world.provider.calls["resize_server"] == 0
    assert world.client.instances.get(instance_id).status == "ACTIVE"


def test_a_database_too_large_for_the_new_size_gets_its_old_one_again(world: World) -> None:
    instance_id = world.create()

    def too_small() -> None:
        if world.guests.servers[instance_id].ram == 4096:
            raise GuestError("Cannot allocate memory")

    world.guests.before["start"] = too_small
    with pytest.raises(OperationFailed, match="Cannot allocate memory"):
        world.client.operations.wait(world.client.instances.resize(instance_id, "3"))
    assert size(world, instance_id) == ("1", "1", 1024)
    assert world.guests.servers[instance_id].running


@pytest.mark.parametrize("hook", ["resized", "grow_volume"])
def test_an_agent_of_an_older_release_is_no_obstacle(world: World, hook: str) -> None:
    instance_id = world.create()
    world.guests.failing[hook] = NotFound(f"There is no call {hook!r}")
    for operation in (
        world.client.instances.resize(instance_id, "2"),
        lambda: world.client.instances.resize_volume(instance_id, 2),
    ):
        begun = operation() if callable(operation) else operation
        assert world.client.operations.wait(begun).state == OperationState.SUCCEEDED


def test_what_cannot_be_asked_for(world: World) -> None:
    instance_id = world.create()
    for flavor, said in (("1", "no change"), ("99", "Flavors on offer: 1, 2, 3")):
        with pytest.raises(BadRequest, match=said):
            world.client.instances.resize(instance_id, flavor)
    with pytest.raises(BadRequest, match="must be larger"):
        world.client.instances.resize_volume(instance_id, 1)
    assert world.client.instances.get(instance_id).status == "ACTIVE"


def test_a_volume_grows_while_the_database_serves(world: World) -> None:
    instance_id = world.create()
    operation = world.client.instances.resize_volume("demo", 3)
    ended = world.client.operations.wait(operation)
    assert (ended.state, ended.downtime_seconds) == (OperationState.SUCCEEDED, None)
    assert volume(world, instance_id) == (3, 3)
    assert (instance_id, "grow_volume") in world.guests.calls
    assert (instance_id, "stop") not in world.guests.calls


def test_a_volume_without_room_to_grow_stays_as_it_is(world: World) -> None:
    instance_id = world.create()
    world.provider.capacity = 2
    with pytest.raises(OperationFailed, match="no room"):
        world.client.operations.wait(world.client.instances.resize_volume(instance_id, 3))
    assert volume(world, instance_id) == (1, 1)
    assert world.client.instances.get(instance_id).status == "ACTIVE"


def test_a_file_system_that_does_not_grow_is_an_error_and_resumed(world: World) -> None:
    instance_id = world.create()
    world.guests.failing["grow_volume"] = GuestError("The superblock is damaged")
    operation = world.client.instances.resize_volume(instance_id, 3)
    with pytest.raises(OperationFailed, match="superblock"):
        world.client.operations.wait(operation)
    assert world.client.instances.get(instance_id).status == "ERROR"
    assert volume(world, instance_id) == (3, 3)
    world.guests.failing.clear()
    world.client.operations.resume(operation)
    assert world.client.operations.wait(operation).state == OperationState.SUCCEEDED


def test_a_provider_that_cannot_says_so_at_the_door(own_world: World) -> None:
    with pytest.raises(NotSupported, match="can't be resized"):
        own_world.client.instances.resize(own_world.create(), "2")
    with pytest.raises(NotSupported, match="can't grow"):
        own_world.client.instances.resize_volume("demo", 2)
    assert own_world.client.instances.get("demo").status == "ACTIVE"


@pytest.fixture
def own_world(world: World) -> World:
    """A control plane over a provider that changes no size."""
    from instar.control import wiring
    from wsgi_transport import client_of

    lacking = replace(world.provider.abilities, resize_server=False, extend_volume=False)
    world.provider.abilities = lacking
    door = wiring.make_door(world.house, world.worker.wake)
    token = next(iter(wiring.local_tokens(world.house.conf)))
    return replace(world, client=client_of(door, world.house.conf.api.project, token))
