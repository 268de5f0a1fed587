"""Harnesses as fixtures; other users may pass through their directory, for servers have uids of their own."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import toy_system
from harnesses import FakeHarness, LocalHarness, Rig
from openstack_harness import OpenStackHarness
from podman_harness import PodmanHarness

import lab_cloud
from instar.control.providers.directories import trash


@pytest.fixture
def place() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="instar-provider-"))
    directory.chmod(0o755)
    yield directory
    trash.remove(directory)


@pytest.fixture
def local(place: Path) -> Iterator[LocalHarness]:
    harness = LocalHarness(place)
    yield harness
    harness.close()


@pytest.fixture
def podman(place: Path) -> Iterator[PodmanHarness]:
    if lack := toy_system.why_not():
        pytest.skip(lack)
    harness = PodmanHarness(place)
    yield harness
    harness.close()


@pytest.fixture
def podman_rig(podman: PodmanHarness) -> Rig:
    return Rig(podman)


@pytest.fixture
def openstack(place: Path) -> Iterator[OpenStackHarness]:
    if lack := lab_cloud.why_not():
        pytest.skip(lack)
    harness = OpenStackHarness(place)
    yield harness
    harness.close()


@pytest.fixture(params=["fake", "local", "podman", "openstack"])
def harness(request: pytest.FixtureRequest) -> object:
    if request.param == "fake":
        return FakeHarness(request.getfixturevalue("place"))
    return request.getfixturevalue(request.param)


@pytest.fixture
def rig(harness: object) -> Rig:
    return Rig(harness)


@pytest.fixture
def local_rig(local: LocalHarness) -> Rig:
    return Rig(local)
