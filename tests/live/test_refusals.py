"""What a user gets wrong on the command line: told at once, with nothing begun."""

import pytest

from real_control_plane import ControlPlane
from real_instance import RealInstance

pytestmark = pytest.mark.live
GOOD = ("--flavor", "1", "--volume-size", "1", "--version", "17.10")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (("--flavor", "enormous"), "flavorRef"),
        (("--volume-size", "0"), "volume.size"),
        (("--version", "99.1"), "99.1"),
        (("--database", "twice", "--database", "twice"), "databases"),
    ],
)
def test_create_with_wrong_input(plane: ControlPlane, wrong: tuple[str, ...], told: str) -> None:
    done = plane.command("create", "wrong", *GOOD, *wrong)
    assert done.status != 0
    assert told in done.err
    assert "Traceback" not in done.err
    assert "wrong" not in [each.name for each in plane.client.instances.list()]


def test_upgrade_to_a_forbidden_version_names_those_that_can_be_reached(
    plane: ControlPlane, lasting_instance: RealInstance
) -> None:
    versions = {each.name for each in plane.client.versions.list("postgresql")}
    if "16.1" not in versions:
        image = plane.client.versions.get("17.10", "postgresql").image
        assert image
        plane.client.versions.create("postgresql", "16.1", manager="postgresql", image=image, version="16.1")
    done = plane.command("upgrade", lasting_instance.id, "16.1")
    assert done.status != 0
    assert "17.10" in done.err
    assert "18.6" in done.err
    assert lasting_instance.shown.status == "ACTIVE"


def test_a_wrong_token_is_401(plane: ControlPlane) -> None:
    done = plane.command("list", INSTAR_TOKEN="wrong")
    assert done.status != 0
    assert "401" in done.err or "token" in done.err.lower()
