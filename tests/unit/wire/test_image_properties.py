"""Images as properties: what a publisher writes is what a provider reads."""

import random

import pytest

from instar.wire.agent import Manifest, Parameter
from instar.wire.image_properties import MANIFEST, PARAMETERS, ROOM, from_properties, to_properties

MANIFEST_OF_TOY = Manifest(
    digest="sha256:of the files",
    recipe="toy",
    datastore="toy",
    manager="toy",
    engine_version="1",
    version_name="one",
    agent_version="1",
    os="Débian",
    extensions={"plain": "1.0"},
)
MANY = [
    Parameter(
        name=f"name{number}",
        type="string",
        default="é",
        description=random.Random(number).randbytes(200).hex(),
    )
    for number in range(600)
]


@pytest.mark.parametrize("parameters", [[], MANY[:1], MANY])
def test_what_is_written_is_read_again_with_the_clouds_id_as_digest(parameters: list[Parameter]) -> None:
    properties = to_properties(MANIFEST_OF_TOY, parameters)
    assert all(len(value.encode()) <= ROOM and len(name) <= 255 for name, value in properties.items())
    read = from_properties(properties | {"os_distro": "debian"}, "an-id")
    assert read == (MANIFEST_OF_TOY.model_copy(update={"digest": "an-id"}), parameters)


def test_what_does_not_fit_into_one_value_goes_on_in_the_next() -> None:
    assert f"{PARAMETERS}_1" in to_properties(MANIFEST_OF_TOY, MANY)


def test_the_same_image_gives_the_same_properties() -> None:
    assert to_properties(MANIFEST_OF_TOY, MANY) == to_properties(MANIFEST_OF_TOY, MANY)


def test_an_image_without_a_manifest_is_none_of_ours() -> None:
    assert from_properties({"os_distro": "debian", PARAMETERS: "x"}, "an-id") is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (MANIFEST, "{"),
        (MANIFEST, "[]"),
        (MANIFEST, "{}"),
        (PARAMETERS, "é"),
        (PARAMETERS, "AAAA"),
        (PARAMETERS, ""),
    ],
)
def test_a_property_that_cannot_be_read_is_named(name: str, value: str) -> None:
    properties = to_properties(MANIFEST_OF_TOY, MANY[:1]) | {name: value}
    with pytest.raises(ValueError, match=name):
        from_properties(properties, "an-id")
