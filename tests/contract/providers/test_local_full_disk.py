"""A disk without room: what was there before runs on, nothing half-made is left, and deleting still works."""

import contextlib
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from harnesses import FILES, LocalHarness, Rig, is_alive
from processes import last_generation

from instar.wire.errors import ProviderError
from instar.wire.states import ServerState


@contextlib.contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Have the system refuse files that are larger."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def small_disk(place: Path) -> Iterator[Path]:
    """A file system of 2 MiB where the local provider keeps its servers."""
    disk = place / "state" / "servers"
    disk.mkdir(mode=0o711, parents=True)
    disk.parent.chmod(0o711)
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "none", disk], capture_output=True
    ).returncode:
        pytest.skip("file systems can't be mounted here")
    disk.chmod(0o711)
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.fixture
def crowded(small_disk: Path, local: LocalHarness) -> LocalHarness:
    return local


def fill(directory: Path, leave: int) -> Path:
    """Fill a file system up to `leave` bytes."""
    filler = directory / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    with filler.open("r+b") as file:
        file.truncate(filler.stat().st_size - leave)
    return filler


def check_untouched(rig: Rig, processes: list[int]) -> None:
    """The server runs on as it was, and nothing half-made is left."""
    info = rig.up()
    assert (info.image, info.token, rig.boots()) == (rig.harness.images[0], "", [rig.harness.images[0]])
    assert all(is_alive(pid) for pid in processes)
    place = rig.harness.place(rig.handle)
    assert [list((place / part).iterdir()) for part in ("next", "staged")] == [[], []]


def test_without_room_for_the_next_root_the_server_runs_on_as_it_was(local_rig: Rig) -> None:
    provider, image = local_rig.harness.provider, local_rig.harness.images[1]
    processes = last_generation(local_rig, 1)
    for attempt in (
        lambda: provider.stage(local_rig.handle, image),
        lambda: provider.rebuild_server(local_rig.handle, image, dict(FILES), "t"),
    ):
        with largest_file(16384), pytest.raises(ProviderError, match="no room") as refused:
            attempt()
        assert not refused.value.body.retryable
        check_untouched(local_rig, processes)
    provider.rebuild_server(local_rig.handle, image, dict(FILES), "t")
    assert (local_rig.up().image, local_rig.up().token) == (image, "t")


def test_without_room_for_injected_files_the_server_runs_on_as_it_was(local_rig: Rig) -> None:
    provider, image = local_rig.harness.provider, local_rig.harness.images[1]
    processes = last_generation(local_rig, 1)
    provider.stage(local_rig.handle, image)
    with largest_file(16384), pytest.raises(ProviderError, match="no room"):
        provider.rebuild_server(local_rig.handle, image, FILES | {"etc/large": "x" * 20000}, "t")
    check_untouched(local_rig, processes)


def test_a_full_disk_is_told_of_with_what_was_needed_and_what_is_free(crowded: LocalHarness) -> None:
    rig = Rig(crowded)
    processes = last_generation(rig, 1)
    filler = fill(crowded.settings.state_dir / "servers", 16384)
    with pytest.raises(ProviderError, match=r"No space left.* MiB needed, 0\.\d MiB free") as refused:
        crowded.provider.rebuild_server(rig.handle, crowded.images[1], dict(FILES), "t")
    assert not refused.value.body.retryable
    check_untouched(rig, processes)
    filler.unlink()
    crowded.provider.rebuild_server(rig.handle, crowded.images[1], dict(FILES), "t")
    assert rig.up().token == "t"


def test_a_server_on_a_full_disk_can_be_deleted(crowded: LocalHarness) -> None:
    rig = Rig(crowded)
    processes = last_generation(rig, 1)
    fill(crowded.settings.state_dir / "servers", 0)
    crowded.provider.destroy_server(rig.handle)
    assert not any(is_alive(pid) for pid in processes)
    assert crowded.provider.inspect_server(rig.handle).state == ServerState.MISSING
