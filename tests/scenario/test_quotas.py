"""Quotas: a project has what it may have, and is told when it asks for more."""

from dataclasses import replace

import pytest

from instar.client import Client
from instar.control import wiring
from instar.wire.errors import BadRequest, NotFound, OverLimit, ProviderError
from waiting import until
from world import World
from wsgi_transport import client_of


@pytest.fixture
def limited(world: World) -> World:
    """A control plane whose settings allow two instances, 4 GiB and 3 GiB of memory."""
    for name, most in (("instances", 2), ("volumes", 4), ("ram", 3072)):
        world.house.conf.set_override(name, most, group="quotas")
    return replace(world, client=client(world))


def client(world: World) -> Client:
    door = wiring.make_door(world.house, world.worker.wake)
    token = next(iter(wiring.local_tokens(world.house.conf)))
    return client_of(door, world.house.conf.api.project, token)


def used(world: World) -> dict[str, tuple[int, int, int]]:
    rows = world.client.quotas.get(world.house.conf.api.project)
    return {row.resource: (row.in_use, row.reserved, row.limit) for row in rows}


def test_without_settings_there_are_no_limits(world: World) -> None:
    world.create()
    assert used(world) == {
        "backups": (0, 0, -1), "instances": (1, 0, -1), "ram": (1024, 0, -1), "volumes": (1, 0, -1)
    }  # fmt: skip


def test_a_project_gets_what_it_may_have_and_no_more(limited: World) -> None:
    limited.create("one")
    limited.create("two")
    with pytest.raises(OverLimit, match=r"Quota exceeded for resources: \['instances'\]") as refused:
        limited.create("three")
    assert "instances: 2 of 2 in use, 1 more asked for" in refused.value.body.seen
    assert [one.name for one in limited.client.instances.list()] == ["two", "one"]
    operation = limited.client.instances.delete("one")
    limited.client.operations.wait(operation)
    limited.create("three")
    assert used(limited)["instances"] == (2, 0, 2)


def test_what_would_grow_beyond_a_quota_is_refused(limited: World) -> None:
    limited.create("one")
    limited.create("two")
    with pytest.raises(OverLimit, match="ram"):
        limited.client.instances.resize("one", "3")
    with pytest.raises(OverLimit, match="volumes"):
        limited.client.instances.resize_volume("one", 4)
    limited.client.operations.wait(limited.client.instances.resize("one", "2"))
    limited.client.operations.wait(limited.client.instances.resize_volume("one", 3))
    assert (used(limited)["ram"], used(limited)["volumes"]) == ((3072, 0, 3072), (4, 0, 4))
    limited.client.operations.wait(limited.client.instances.resize("one", "1"))


def test_what_is_under_way_is_reserved(limited: World) -> None:
    limited.create("one")
    limited.create("two")
    limited.provider.dials.fail_always("extend_volume", ProviderError("Come back later", retryable=True))
    operation = limited.client.instances.resize_volume("one", 3)
    assert operation is not None
    until(lambda: limited.client.operations.get(operation).reason)
    assert used(limited)["volumes"] == (2, 2, 4)
    with pytest.raises(OverLimit, match="2 reserved"):
        limited.client.instances.resize_volume("two", 2)
    limited.provider.dials.clear("extend_volume")
    limited.client.operations.wait(operation)
    assert used(limited)["volumes"] == (4, 0, 4)


def test_an_administrator_sets_a_projects_quotas(limited: World) -> None:
    project = limited.house.conf.api.project
    limited.client.quotas.set(project, instances=0)
    with pytest.raises(OverLimit, match="instances"):
        limited.create()
    limited.client.quotas.set(project, instances=-1)
    limited.client.quotas.set(project, volumes=9)
    limited.create()
    assert (used(limited)["instances"], used(limited)["volumes"]) == ((1, 0, -1), (1, 0, 9))
    with pytest.raises(NotFound, match="no_such"):
        limited.client.quotas.set(project, no_such=1)
    with pytest.raises(BadRequest, match="instances"):
        limited.client.quotas.set(project, instances=-2)
