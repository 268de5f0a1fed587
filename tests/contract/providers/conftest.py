"""Harnesses as fixtures; other users may pass through their directory, for servers have uids of their own."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from harnesses import FakeHarness, LocalHarness, Rig


@pytest.fixture
def place() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="instar-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def local(place: Path) -> Iterator[LocalHarness]:
    harness = LocalHarness(place)
    yield harness
    harness.close()


@pytest.fixture(params=["fake", "local"])
def harness(request: pytest.FixtureRequest) -> object:
    if request.param == "fake":
        return FakeHarness(request.getfixturevalue("place"))
    return request.getfixturevalue("local")


@pytest.fixture
def rig(harness: object) -> Rig:
    return Rig(harness)


@pytest.fixture
def local_rig(local: LocalHarness) -> Rig:
    return Rig(local)
