"""What live and crash tests ask for: a real control plane, and instances in it."""

from collections.abc import Iterator
from contextlib import suppress

import pytest

import real_control_plane
from guest_images import Images
from instar.client.errors import Busy, NotFound
from real_control_plane import ControlPlane
from real_instance import RealInstance


@pytest.fixture(scope="session")
def installation(images: Images) -> Iterator[ControlPlane]:
    """`instar serve` for the whole session; at its end nothing may be left of the instances."""
    with real_control_plane.installed(images, "serve") as plane:
        yield plane


@pytest.fixture
def plane(installation: ControlPlane, images: Images) -> ControlPlane:
    """The control plane, running, its versions as they were registered."""
    installation.ensure_running()
    installation.use_image("17.10", images.old.digest)
    return installation


@pytest.fixture
def instance(plane: ControlPlane) -> Iterator[RealInstance]:
    """An instance on 17.10; its delete goes on while the next test runs."""
    made = RealInstance.create(plane)
    yield made
    plane.ensure_running()
    with suppress(Busy, NotFound):
        plane.client.instances.delete(made.id)


@pytest.fixture(scope="module")
def lasting_instance(installation: ControlPlane) -> Iterator[RealInstance]:
    """An instance on 17.10 that the tests of a module share; each leaves it serving, on 17.10."""
    installation.ensure_running()
    made = RealInstance.create(installation)
    yield made
    installation.ensure_running()
    installation.client.instances.delete(made.id)
