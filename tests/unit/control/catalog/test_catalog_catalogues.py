"""A version's catalogue of parameters: read from its image, and again from another; what was edited stays."""

import pytest

from instar.control import wiring
from instar.control.catalog import parameters
from instar.control.store.tables import DatastoreVersion
from instar.wire.agent import Parameter
from instar.wire.errors import ProviderError
from world import World, conf, manifest, world

__all__ = ["conf", "world"]


def known(world: World, name: str = "17.10") -> dict[str, Parameter]:
    """Read a version's catalogue."""
    with world.house.store.read() as session:
        version = session.query(DatastoreVersion).filter_by(name=name).one()
        return {each.name: each for each in parameters.read(session, version)}


def another_image(world: World, *catalogue: Parameter) -> None:
    """Give version 17.10 another image."""
    image = world.provider.add_image(manifest("17.10", agent="1.1"), catalogue)
    world.client.versions.update("17.10", "postgresql", image=image)


def test_images_tell_their_parameters_once(world: World) -> None:
    assert known(world)["work_mem"].unit == "kB"
    assert known(world)["port"].fixed
    assert wiring.read_catalogues(world.house) == []


def test_another_image_brings_another_catalogue(world: World) -> None:
    another_image(world, Parameter(name="brand_new", type="boolean"))
    assert wiring.read_catalogues(world.house) == ["17.10"]
    assert set(known(world)) == {"brand_new"}


def test_an_image_that_tells_nothing_leaves_nothing_known(world: World) -> None:
    another_image(world)
    for _ in range(2):
        assert wiring.read_catalogues(world.house) == []
    assert known(world) == {}
    world.client.configurations.create("any", {"whatever": 1}, version="17.10")


def test_an_image_that_cannot_be_read_is_asked_again(world: World) -> None:
    another_image(world, Parameter(name="brand_new", type="boolean"))
    world.provider.dials.fail_once("parameters", ProviderError("The store is away"))
    assert wiring.read_catalogues(world.house) == []
    assert "work_mem" in known(world)
    assert wiring.read_catalogues(world.house) == ["17.10"]


@pytest.mark.parametrize("edit", ["changed", "removed", "added"])
def test_what_an_administrator_edited_outlives_the_image(world: World, edit: str) -> None:
    version = world.client.versions.get("17.10").id
    path = f"/mgmt/datastores/versions/{version}/parameters"
    wanted = {"restart_required": 0, "data_type": "integer", "max_size": 1024}
    request = world.client.configurations._http.request
    match edit:
        case "changed":
            request("PUT", f"{path}/work_mem", json={"configuration-parameter": wanted})
        case "removed":
            request("DELETE", f"{path}/work_mem")
        case "added":
            request("POST", path, json={"configuration-parameter": wanted | {"name": "work_mem_2"}})
    before = known(world)
    another_image(world, *known(world, "17.11").values())
    assert wiring.read_catalogues(world.house) == ["17.10"]
    assert known(world) == before
