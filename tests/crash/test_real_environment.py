"""A full disk and an image that is gone, with real parts: each ends as its policy says, with a way on."""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from real_tales import NEW, Stage, upgrades
from striking_plane import StrikingPlane, striking_plane

from guest_images import Images
from instar.client.errors import OperationFailed
from instar.wire.plans import OnFailure
from instar.wire.rest import Operation
from real_control_plane import TIMEOUT
from record_stores import empty_database
from waiting import until

pytestmark = pytest.mark.live
SIZE = 3 * 2**30


@pytest.fixture(scope="module")
def disk() -> Iterator[Path]:
    """A file system of its own."""
    with tempfile.TemporaryDirectory(prefix="instar-disk-", dir="/var/tmp") as folder:
        size = ["-t", "tmpfs", "-o", f"size={SIZE},mode=711", "none", folder]
        if subprocess.run(["mount", *size], capture_output=True, check=False).returncode:
            pytest.skip("file systems can't be mounted here")
        yield Path(folder)
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture(scope="module")
def stage(disk: Path, images: Images, postgresql_server: Any) -> Iterator[Stage]:
    """A stage whose volumes lie on the small disk."""

    class Crowded(StrikingPlane):
        def configure(self, store_url: str | None = None) -> None:
            super().configure(store_url)
            local = self.home / "local"
            local.mkdir(mode=0o711)
            (local / "volumes").symlink_to(disk)

    with empty_database(postgresql_server) as url, striking_plane(images, url, Crowded) as plane:
        yield Stage(plane, images)


def failed(stage: Stage, operation: Operation) -> Operation:
    with pytest.raises(OperationFailed) as caught:
        stage.plane.client.operations.wait(operation, TIMEOUT)
    return caught.value.operation


@contextlib.contextmanager
def full(disk: Path) -> Iterator[None]:
    """Have no byte free on a disk: it becomes as small as what is on it."""
    until(lambda: resize(disk, used(disk)))  # refused when more was written meanwhile
    yield
    assert resize(disk, SIZE)


def used(disk: Path) -> int:
    space = os.statvfs(disk)
    return (space.f_blocks - space.f_bfree) * space.f_frsize


def resize(disk: Path, size: int) -> bool:
    return subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=False).returncode == 0


@pytest.mark.parametrize("on_failure", ["error", "rollback"])
def test_a_disk_that_fills_up_during_pg_upgrade(stage: Stage, disk: Path, on_failure: OnFailure) -> None:
    instance = stage.at_rest()
    stage.plane.order("upgrade", "post_upgrade", "making the new data directory")
    with instance.written_to():
        operation = upgrades(NEW, on_failure=on_failure)(stage, instance)
        place = until(stage.plane.reached, TIMEOUT)
        with full(disk):
            place.unlink()
            ended = failed(stage, operation)
        assert "No space left on device" in ended.error.sentence() if ended.error else False
        if instance.shown.status == "ERROR":  # so is the way back, while there is no room to start
            assert "resume" in ended.verbs
            resumed = stage.plane.client.operations.resume(operation)
            stage.plane.wait(resumed) if on_failure == "error" else failed(stage, resumed)
    assert instance.shown.status == "ACTIVE"
    assert instance.version == ("18.6" if on_failure == "error" else "17.10")


def test_an_image_that_is_gone_at_the_rebuild(stage: Stage) -> None:
    instance = stage.at_rest()
    image = stage.plane.home / "images" / stage.images.new.digest.removeprefix("sha256:")
    stage.plane.order("upgrade", "rebuild")
    with instance.written_to():
        operation = upgrades(NEW, on_failure="rollback")(stage, instance)
        place = until(stage.plane.reached, TIMEOUT)
        kept = image.readlink()
        image.unlink()
        try:
            place.unlink()
            ended = failed(stage, operation)
        finally:
            image.symlink_to(kept)
    assert ended.came_back
    assert (instance.shown.status, instance.version) == ("ACTIVE", "17.10")


def test_a_client_certificate_that_has_expired(stage: Stage) -> None:
    instance = stage.at_rest()
    before = instance.postmasters()
    tls = stage.plane.home / "tls"
    kept = (tls / "client.crt").read_bytes()
    expired = subprocess.run(
        ["openssl", "x509", "-in", tls / "client.crt", "-signkey", tls / "client.key", "-days", "-1"],
        capture_output=True,
        check=False,
    )
    if expired.returncode:
        pytest.skip("openssl is missing or too old")
    (tls / "client.crt").write_bytes(expired.stdout)
    try:
        ended = failed(stage, upgrades(NEW)(stage, instance))
    finally:
        (tls / "client.crt").write_bytes(kept)
    assert ended.error
    assert "certificate" in ended.error.sentence()
    assert (instance.shown.status, instance.version) == ("ACTIVE", "17.10")
    assert instance.postmasters() == before
