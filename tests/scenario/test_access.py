"""Access: who may reach the port, where the provider can limit that; elsewhere nobody is told a lie."""

from dataclasses import replace

import pytest

from instar.client.errors import OperationFailed
from instar.control import wiring
from instar.control.providers.base import AccessRule
from instar.wire.errors import BadRequest, Busy, NotSupported, ProviderError
from instar.wire.states import OperationState
from world import World
from wsgi_transport import client_of


def rule(world: World, instance_id: str) -> AccessRule | None:
    return world.provider.rules.get(f"instar-{instance_id}")


def test_access_is_handed_to_the_provider_and_shown(world: World) -> None:
    instance_id = world.create()
    operation = world.client.instances.set_access("demo", is_public=True, allowed_cidrs=["10.0.0.0/8"])
    assert operation is not None
    assert world.client.operations.wait(operation).state == OperationState.SUCCEEDED
    assert rule(world, instance_id) == AccessRule(True, ("10.0.0.0/8",))
    shown = world.client.instances.get(instance_id)
    assert shown.access == {"is_public": True, "allowed_cidrs": ["10.0.0.0/8"]}
    assert (shown.status, shown.operating_status) == ("ACTIVE", "HEALTHY")


def test_a_new_instance_has_the_access_that_was_asked_for(world: World) -> None:
    made = world.client.instances.create(
        "demo", flavor="1", volume_size=1, version="17.10", access={"allowed_cidrs": ["192.0.2.0/24"]}
    )
    world.settle()
    assert rule(world, made.id) == AccessRule(False, ("192.0.2.0/24",))


def test_a_provider_that_refuses_leaves_access_as_it_was(world: World) -> None:
    instance_id = world.create()
    world.client.operations.wait(world.client.instances.set_access("demo", allowed_cidrs=["10.0.0.0/8"]))
    world.provider.dials.fail_once("limit_access", ProviderError("No such security group"))
    with pytest.raises(OperationFailed, match="security group"):
        world.client.operations.wait(world.client.instances.set_access("demo", allowed_cidrs=[]))
    assert rule(world, instance_id) == AccessRule(False, ("10.0.0.0/8",))
    shown = world.client.instances.get(instance_id)
    assert (shown.status, shown.access) == ("ACTIVE", {"allowed_cidrs": ["10.0.0.0/8"]})


def test_a_second_request_is_told_of_the_first(world: World) -> None:
    world.create()
    world.provider.dials.fail_always("limit_access", ProviderError("Come back later", retryable=True))
    operation = world.client.instances.set_access("demo", is_public=True)
    with pytest.raises(Busy, match="update_access"):
        world.client.instances.set_access("demo", is_public=False)
    world.provider.dials.clear("limit_access")
    assert world.client.operations.wait(operation).state == OperationState.SUCCEEDED


def test_a_provider_that_cannot_refuses_what_narrows_and_notes_the_rest(world: World) -> None:
    instance_id = world.create()
    world.provider.abilities = replace(world.provider.abilities, limits_access=False)
    door = wiring.make_door(world.house, world.worker.wake)
    token = next(iter(wiring.local_tokens(world.house.conf)))
    client = client_of(door, world.house.conf.api.project, token)
    with pytest.raises(NotSupported, match="allowed_cidrs"):
        client.instances.set_access("demo", allowed_cidrs=["10.0.0.0/8"])
    with pytest.raises(NotSupported, match="allowed_cidrs"):
        client.instances.create(
            "other", flavor="1", volume_size=1, version="17.10", access={"allowed_cidrs": ["10.0.0.0/8"]}
        )
    with pytest.raises(BadRequest, match=r"allowed_cidrs\.0"):
        client.instances.set_access("demo", allowed_cidrs=["10.0.0.1/8"])
    assert client.instances.set_access("demo", is_public=True, allowed_cidrs=["0.0.0.0/0"]) is None
    shown = client.instances.get(instance_id)
    assert shown.access == {"is_public": True, "allowed_cidrs": ["0.0.0.0/0"]}
    assert rule(world, instance_id) is None
