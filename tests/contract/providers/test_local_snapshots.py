"""Snapshots of local volumes: copies that take their time, may be interrupted anywhere, and need room."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from harnesses import FILES, LocalHarness, Rig, snapshot, until
from processes import in_child

from instar.control.providers.base import Handle
from instar.control.providers.directories import copies, records, snapshots, trash, trees
from instar.wire.errors import ProviderError
from instar.wire.states import ServerState

ROWS = {f"row-{number}": str(number) * 1000 for number in range(20)}


def volume_of_its_own(local: LocalHarness, name: str = "v") -> Handle:
    volume = local.provider.ensure_volume(name, 1).handle
    for row, text in ROWS.items():
        local.write(volume, row, text)
    return volume


def rows(local: LocalHarness, volume: Handle) -> dict[str, str | None]:
    return {row: local.read(volume, row) for row in ROWS}


def remains(local: LocalHarness, volume: Handle) -> set[str]:
    """Tell what lies in a volume's directory beside what belongs there."""
    local.provider.recover()
    place = local.data(volume).parent
    return {path.name for path in place.iterdir()} - {"data", "snapshots", "volume.json"}


def kept(local: LocalHarness, volume: Handle) -> list[str]:
    return [path.name for path in (local.data(volume).parent / "snapshots").iterdir()]


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Have copies wait half-way until they are let go; calls don't wait for them."""
    released = False
    whole = trees.copy

    def copy(source: Path, target: Path, report: Callable[[int], None] = lambda _: None) -> None:
        def held(moved: int) -> None:
            report(moved)
            while not released:
                time.sleep(0.005)
                report(0)

        whole(source, target, held)

    def release() -> None:
        nonlocal released
        released = True

    monkeypatch.setattr(trees, "copy", copy)
    monkeypatch.setattr(copies, "BRIEF", 0.0)
    monkeypatch.setattr(copies, "_LOOK", 0.0)
    yield release
    release()


def test_a_snapshot_that_takes_long_tells_how_far_it_is(
    local: LocalHarness, slow: Callable[[], None]
) -> None:
    volume = volume_of_its_own(local)
    seen = until(lambda: (s := local.provider.snapshot_volume(volume, "s")).moved and s, "it moves")
    assert not seen.ready
    assert [each.ready for each in local.provider.snapshots(volume)] == [False]
    other = local.reopen().snapshot_volume(volume, "s")
    assert (other.ready, other.moved) == (False, seen.moved)
    for use in (local.provider.clone_volume, lambda to, _: local.provider.revert_volume(volume, to)):
        with pytest.raises(ProviderError, match="not ready"):
            use(seen.handle, "c")
    slow()
    until(lambda: local.reopen().snapshot_volume(volume, "s").ready, "the snapshot is ready")
    until(lambda: remains(local, volume) == set(), "nothing is left of the copy")


def test_a_snapshot_that_is_being_made_can_be_deleted(local: LocalHarness, slow: Callable[[], None]) -> None:
    volume = volume_of_its_own(local)
    begun = until(lambda: (s := local.provider.snapshot_volume(volume, "s")).moved and s, "it moves")
    local.provider.destroy_snapshot(begun.handle)
    assert local.provider.snapshots(volume) == []
    until(lambda: remains(local, volume) == set(), "nothing is left of it")
    assert kept(local, volume) == []
    slow()
    local.write(volume, "row-0", "later")
    clone = local.provider.clone_volume(snapshot(local.provider, volume), "c").handle
    assert local.read(clone, "row-0") == "later"


def test_a_volume_whose_snapshot_is_being_made_can_be_deleted(
    local: LocalHarness, slow: Callable[[], None]
) -> None:
    volume = volume_of_its_own(local)
    until(lambda: local.provider.snapshot_volume(volume, "s").moved, "it moves")
    local.provider.destroy_volume(volume)
    assert local.provider.find_volume("v") is None

    def is_gone() -> bool:
        local.provider.recover()
        return not list((local.settings.state_dir / "volumes").iterdir())

    until(is_gone, "nothing is left of the volume")


def test_a_snapshot_can_be_killed_anywhere_and_repeated(local: LocalHarness) -> None:
    volume = volume_of_its_own(local)
    changes = in_child(lambda: snapshot(local.reopen(), volume, "uninterrupted"))
    assert changes > 20
    for die_at in range(1, changes + 1, 5):
        local.write(volume, "row-0", f"at {die_at}")
        in_child(lambda n=die_at: snapshot(local.reopen(), volume, f"s{n}"), die_at)  # type: ignore[misc]
        made = snapshot(local.reopen(), volume, f"s{die_at}")
        clone = local.provider.clone_volume(made, f"c{die_at}").handle
        assert rows(local, clone) == ROWS | {"row-0": f"at {die_at}"}
        until(lambda: remains(local, volume) == set(), "nothing is left of the copies")
    assert len(kept(local, volume)) == len(local.provider.snapshots(volume))


def test_a_revert_can_be_killed_anywhere_and_repeated(local_rig: Rig) -> None:
    local, volume = local_rig.harness, local_rig.volume.handle
    for row, text in ROWS.items():
        local.write(volume, row, text)
    before = local_rig.snapshot()
    local_rig.stop()
    owner = local.data(volume).stat().st_uid

    def revert() -> None:
        provider = local.reopen()
        until(lambda: provider.revert_volume(volume, before).done, "reverted")

    changes = in_child(revert)
    assert changes > 20
    for die_at in range(1, changes + 1, 5):
        local.write(volume, "row-0", "later")
        local.write(volume, "new", "later")
        in_child(revert, die_at)
        assert local.read(volume, "row-0") in ("later", ROWS["row-0"])
        revert()
        assert rows(local, volume) == ROWS
        assert local.read(volume, "new") is None
        assert local.data(volume).stat().st_uid == owner
    until(lambda: remains(local, volume) == set(), "nothing is left")
    local.provider.reboot_server(local_rig.handle, "r")
    until(lambda: len(local_rig.boots()) == 2, "the guest can write to the volume")


def test_a_copy_in_the_hands_of_a_frozen_process_is_made_by_another(
    local: LocalHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "BRIEF", 0.05)
    volume = volume_of_its_own(local)
    reading, writing = os.pipe()
    if (frozen := os.fork()) == 0:
        whole = trees.copy

        def copy(source: Path, target: Path, report: Callable[[int], None]) -> None:
            target.with_suffix(".begun").touch()
            os.write(writing, b".")
            os.kill(os.getpid(), signal.SIGSTOP)
            target.with_suffix(".begun").unlink()
            whole(source, target, report)

        try:
            trees.copy = copy
            snapshot(local.reopen(), volume)
        finally:
            os._exit(0)
    os.read(reading, 1)
    until(lambda: psutil.Process(frozen).status() == psutil.STATUS_STOPPED, "it is frozen")
    try:
        assert not local.provider.snapshot_volume(volume, "s").ready
        monkeypatch.setattr(copies, "STALLED", 0.0)
        made = snapshot(local.provider, volume)
        local.write(volume, "row-0", "later")
    finally:
        os.kill(frozen, signal.SIGCONT)
        os.waitpid(frozen, 0)
    clone = local.provider.clone_volume(made, "c").handle
    assert rows(local, clone) == ROWS
    until(lambda: remains(local, volume) == set(), "nothing is left of the copies")
    assert len(kept(local, volume)) == 1


def test_a_deletion_of_a_snapshot_that_is_killed_anywhere_leaves_nothing_unknown(local: LocalHarness) -> None:
    volume = volume_of_its_own(local)
    made = snapshot(local.provider, volume)
    changes = in_child(lambda: local.reopen().destroy_snapshot(made))
    assert changes > 5
    for die_at in range(1, changes + 1):
        made = snapshot(local.provider, volume)
        assert local.read(local.provider.clone_volume(made, f"c{die_at}").handle, "row-0") == ROWS["row-0"]
        in_child(lambda made=made: local.reopen().destroy_snapshot(made), die_at)  # type: ignore[misc]
        if local.provider.find_snapshot(volume, "s") is None:
            assert kept(local, volume) == []


def test_a_revert_that_was_not_finished_is_given_up_when_the_server_starts(
    local_rig: Rig, slow: Callable[[], None]
) -> None:
    provider, volume = local_rig.harness.provider, local_rig.volume.handle
    slow()
    before = local_rig.snapshot()
    local_rig.harness.write(volume, "row", "after")
    local_rig.stop()
    provider.revert_volume(volume, before)
    provider.reboot_server(local_rig.handle, "r")
    until(lambda: len(local_rig.boots()) >= 1 and local_rig.up(), "the server is up")
    until(lambda: remains(local_rig.harness, volume) == set(), "nothing is left of the copy")
    with pytest.raises(ProviderError, match="not stopped"):
        provider.revert_volume(volume, before)


def test_a_clone_and_a_foreign_snapshot_are_refused_clearly(local: LocalHarness) -> None:
    one, other = volume_of_its_own(local, "one"), volume_of_its_own(local, "other")
    made = snapshot(local.provider, one)
    with pytest.raises(ProviderError, match="another volume's"):
        local.provider.revert_volume(other, made)


@pytest.fixture
def small_volumes(place: Path) -> Iterator[Path]:
    """A file system of 4 MiB where the local provider keeps its volumes."""
    disk = place / "state" / "volumes"
    disk.mkdir(mode=0o711, parents=True)
    disk.parent.chmod(0o711)
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", disk]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("file systems can't be mounted here")
    disk.chmod(0o711)
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.fixture
def crowded(small_volumes: Path, local: LocalHarness, monkeypatch: pytest.MonkeyPatch) -> LocalHarness:
    """A local provider whose volumes have a small disk; a GiB is a byte there."""
    for module in (
        "instar.control.providers.directories.volumes",
        "instar.control.providers.directories.room",
    ):
        monkeypatch.setattr(f"{module}.GIB", 1)
    return local


def fill(local: LocalHarness, volume: Handle, kibibytes: int) -> None:
    (local.data(volume) / "bulk").write_bytes(os.urandom(kibibytes << 10))


def test_without_room_a_snapshot_is_refused_and_leaves_nothing(crowded: LocalHarness) -> None:
    rig = Rig(crowded)
    fill(crowded, rig.volume.handle, 2500)
    with pytest.raises(ProviderError, match="no room for a snapshot") as refused:
        crowded.provider.snapshot_volume(rig.volume.handle, "s")
    assert not refused.value.body.retryable
    assert crowded.provider.snapshots(rig.volume.handle) == []
    assert (remains(crowded, rig.volume.handle), kept(crowded, rig.volume.handle)) == (set(), [])
    assert rig.up().state == ServerState.ACTIVE


def test_a_disk_that_fills_up_while_it_is_copied_leaves_nothing_of_the_snapshot(
    crowded: LocalHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(crowded)
    fill(crowded, rig.volume.handle, 2500)
    monkeypatch.setattr(snapshots.room, "check", lambda *_: None)
    with pytest.raises(ProviderError, match="snapshot_volume") as refused:
        rig.snapshot()
    assert "No space left" in refused.value.body.seen
    assert crowded.provider.snapshots(rig.volume.handle) == []
    until(lambda: remains(crowded, rig.volume.handle) == set(), "nothing is left of the copy")
    assert kept(crowded, rig.volume.handle) == []
    assert rig.up().state == ServerState.ACTIVE


def test_without_room_beside_it_the_data_give_way_to_the_snapshot(crowded: LocalHarness) -> None:
    rig = Rig(crowded)
    volume = rig.volume.handle
    fill(crowded, volume, 1500)
    content = (crowded.data(volume) / "bulk").read_bytes()
    before = rig.snapshot()
    crowded.write(volume, "bulk", "later")
    crowded.write(volume, "new", "x" * (1500 << 10))
    rig.stop()
    place = crowded.data(volume).parent

    def is_emptied() -> bool:
        record = records.read(place / "volume.json") or {}
        return bool(record["revert"] and record["revert"]["emptied"])

    def revert() -> None:
        provider = crowded.reopen()
        until(lambda: provider.revert_volume(volume, before).done, "reverted")

    for die_at in range(1, 60, 4):
        in_child(revert, die_at)
        if is_emptied():
            with pytest.raises(ProviderError, match="being put back"):
                crowded.provider.reboot_server(rig.handle, "too early")
            break
    assert is_emptied(), "it was interrupted half-way"
    revert()
    assert (crowded.data(volume) / "bulk").read_bytes() == content
    assert crowded.read(volume, "new") is None
    crowded.provider.rebuild_server(rig.handle, crowded.images[0], dict(FILES), "back")
    assert rig.up().token == "back"


def test_a_revert_for_which_there_is_no_room_at_all_leaves_the_data_alone(crowded: LocalHarness) -> None:
    rig = Rig(crowded)
    volume = rig.volume.handle
    fill(crowded, volume, 1500)
    before = rig.snapshot()
    (crowded.data(volume) / "bulk").unlink()
    crowded.write(volume, "row", "later")
    rig.stop()
    filler = crowded.settings.state_dir / "volumes" / "filler"
    filler.write_bytes(bytes(2000 << 10))
    with pytest.raises(ProviderError, match="no room for putting"):
        crowded.provider.revert_volume(volume, before)
    assert crowded.read(volume, "row") == "later"
    filler.unlink()
    with contextlib.suppress(ProviderError):
        rig.revert(before)
    assert (crowded.data(volume) / "bulk").exists()


def test_a_revert_that_found_too_little_room_is_repeated_with_the_data_out_of_its_way(
    crowded: LocalHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(crowded)
    volume = rig.volume.handle
    fill(crowded, volume, 1500)
    content = (crowded.data(volume) / "bulk").read_bytes()
    before = rig.snapshot()
    crowded.write(volume, "new", "x" * (400 << 10))
    rig.stop()
    with monkeypatch.context() as patched:
        patched.setattr(snapshots.room, "free", lambda _: 1 << 30)  # as if somebody else took it afterwards
        with pytest.raises(ProviderError, match="No space left"):
            rig.revert(before)
    assert crowded.read(volume, "new")
    rig.revert(before)
    assert (crowded.data(volume) / "bulk").read_bytes() == content
    assert crowded.read(volume, "new") is None


def test_a_process_that_was_frozen_as_it_made_room_deletes_nothing_that_another_put_back(
    crowded: LocalHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(crowded)
    volume = rig.volume.handle
    fill(crowded, volume, 1500)
    content = (crowded.data(volume) / "bulk").read_bytes()
    before = rig.snapshot()
    crowded.write(volume, "new", "x" * (700 << 10))
    rig.stop()
    lock = crowded.data(volume).parent.with_suffix(".lock")
    frozen = frozen_in_a_deletion(lambda: crowded.reopen().revert_volume(volume, before), lock)
    try:
        monkeypatch.setattr(copies, "STALLED", 0.0)
        rig.revert(before)
        assert (crowded.data(volume) / "bulk").read_bytes() == content
    finally:
        os.kill(frozen, signal.SIGCONT)
        os.waitpid(frozen, 0)
    assert (crowded.data(volume) / "bulk").read_bytes() == content
    until(lambda: remains(crowded, volume) == set(), "nothing is left of the copies")


def frozen_in_a_deletion(work: Callable[[], object], lock: Path) -> int:
    """Do work in a process that is frozen at the first tree or file it deletes; gives its id.

    It does not hold `lock` then, for which others would wait. Once thawed it ends when its threads have.
    """
    if (pid := os.fork()) == 0:
        whole, stopped = trash.remove, False

        def remove(path: Path) -> None:
            nonlocal stopped
            if path.exists() and not stopped:
                stopped = True
                with records.locked(lock):
                    pass
                os.kill(os.getpid(), signal.SIGSTOP)
            whole(path)

        try:
            trash.remove = remove
            work()
            for thread in set(threading.enumerate()) - {threading.current_thread()}:
                thread.join(10)
        finally:
            os._exit(0)
    until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, "it is frozen")
    return pid
