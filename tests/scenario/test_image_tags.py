"""Versions that name tags instead of an image: what is newest when a request comes is what it gets."""

import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy import select

from instar.client.errors import OperationFailed
from instar.control import wiring
from instar.control.operations import upgrade
from instar.control.operations.desk import Caller
from instar.control.store.session import Store
from instar.wire.agent import Manifest
from instar.wire.errors import BadRequest
from instar.wire.plans import UpgradeOptions
from world import World, catalogue, manifest

TAGS = ["postgresql", "stable"]


def publish(world: World, digest: str, *tags: str, version: str = "17.11") -> str:
    """Put an image with tags into the provider's store; gives its ref."""
    described: Manifest = manifest(version).model_copy(update={"digest": f"sha256:{digest}"})
    return world.provider.add_image(described, catalogue(version), tags)


def register(world: World) -> None:
    """Register version `stable` by tags."""
    world.client.versions.create(
        "postgresql", "stable", manager="postgresql", image_tags=TAGS, version="17.11"
    )


def test_an_upgrade_goes_to_the_newest_image_when_it_is_asked_for(world: World) -> None:
    first = publish(world, "first", *TAGS)
    register(world)
    instance_id = world.create()
    world.client.instances.upgrade("demo", "stable")
    later = publish(world, "later", *TAGS, "more")
    publish(world, "latest", "postgresql")
    world.settle()
    assert image_of(world, instance_id) == first
    world.client.instances.upgrade("demo", "stable")
    world.settle()
    assert image_of(world, instance_id) == later


def test_a_new_instance_gets_the_newest_image(world: World) -> None:
    publish(world, "first", *TAGS)
    register(world)
    later = publish(world, "later", *TAGS)
    instance_id = world.create(version="stable")
    assert image_of(world, instance_id) == later


def test_a_version_whose_images_are_gone_says_so(world: World) -> None:
    only = publish(world, "only", *TAGS)
    register(world)
    world.create()
    world.provider.lose_image(only)
    with pytest.raises(BadRequest, match="tags: postgresql, stable"):
        world.client.instances.upgrade("demo", "stable")
    assert world.client.instances.get("demo").status == "ACTIVE"


def test_an_image_of_another_release_that_has_the_tags_is_refused(world: World) -> None:
    publish(world, "right", *TAGS)
    register(world)
    world.create()
    publish(world, "wrong", *TAGS, version="18.6")
    operation = world.client.instances.upgrade("demo", "stable")
    world.settle()
    with pytest.raises(OperationFailed, match=r"the image holds 18\.6, version stable is of 17\.11"):
        world.client.operations.wait(operation)
    assert world.client.instances.get("demo").status == "ACTIVE"
    world.create("other", version="stable")
    assert "the image holds 18.6" in str(world.client.instances.get("other").fault)
    assert world.provider.find_port(f"instar-{world.client.instances.get('other').id}") is None


def test_a_cloud_that_takes_its_time_keeps_nobody_from_writing(world: World) -> None:
    only = publish(world, "only", *TAGS)
    register(world)
    world.create()
    wrote = []

    def asked(wanted: Sequence[str]) -> str:
        writer = threading.Thread(target=lambda: wrote.append(write(world.house.store)), daemon=True)
        writer.start()
        writer.join(timeout=10)
        return only

    desk = replace(wiring.make_desk(world.house, world.worker.wake), newest_image=asked)
    caller = Caller(project=world.house.conf.api.project, user="ada")
    instance_id = world.client.instances.get("demo").id
    assert upgrade.request(desk, caller, instance_id, "stable", UpgradeOptions())
    assert wrote == [True]


def write(store: Store) -> bool:
    """Write something, which has to wait for whoever else writes."""
    with store.begin() as session:
        return session.execute(select(1)).scalar_one() == 1


def image_of(world: World, instance_id: str) -> str:
    """Tell which image an instance's server booted from."""
    return world.provider.servers[f"instar-{instance_id}"].image
