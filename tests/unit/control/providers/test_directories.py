"""How things are kept in directories: trees copied whole, records replaced whole, catalogues read."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from instar.control.providers.directories import flavors, frozen, handles, records, trash, trees
from instar.wire.errors import ProviderError


def test_a_copy_has_modes_links_and_content_and_is_its_own(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "program").write_text("one")
    (source / "deep" / "program").chmod(0o555)
    (source / "link").symlink_to("deep/program")
    (source / "dangling").symlink_to("/nowhere")
    os.mkfifo(source / "pipe")
    (source / "deep").chmod(0o500)
    trees.copy(source, tmp_path / "copy")
    copied = tmp_path / "copy" / "deep" / "program"
    assert copied.stat().st_mode == (source / "deep" / "program").stat().st_mode
    assert (tmp_path / "copy" / "dangling").readlink() == Path("/nowhere")
    assert (tmp_path / "copy" / "deep").stat().st_mode & 0o777 == 0o500
    assert not (tmp_path / "copy" / "pipe").exists()
    copied.chmod(0o700)
    copied.write_text("two")
    assert (source / "link").read_text() == "one"
    trash.remove(tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_copy_takes_no_more_room_than_what_is_copied(tmp_path: Path) -> None:
    source, copied = tmp_path / "source", tmp_path / "copy"
    (source / "deep").mkdir(parents=True)
    with (source / "deep" / "first").open("wb") as file:
        for at in (1 << 20, 5 << 20):
            file.seek(at)
            file.write(b"data" * 1024)
        file.truncate(9 << 20)
    (source / "deep" / "hole").touch()
    os.truncate(source / "deep" / "hole", 1 << 20)
    (source / "second").hardlink_to(source / "deep" / "first")
    reported: list[int] = []
    trees.copy(source, copied, reported.append)
    for name in ("deep/first", "deep/hole", "second"):
        assert (copied / name).read_bytes() == (source / name).read_bytes()
    assert (copied / "second").samefile(copied / "deep" / "first")
    assert trees.used(copied) == trees.used(source) < 1 << 20
    assert sum(reported) >= 8192


def test_a_tree_that_two_delete_at_once_is_gone_for_both(tmp_path: Path) -> None:
    for number in range(2000):
        (tmp_path / "tree" / str(number)).mkdir(parents=True)
    with ThreadPoolExecutor(2) as pool:
        for gone in pool.map(
            lambda _: trash.remove(tmp_path / "tree") or not (tmp_path / "tree").exists(), "ab"
        ):
            assert gone


def test_used_counts_a_hard_link_once_and_misses_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 1_000_000)
    once = trees.used(tmp_path)
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    assert once >= 1_000_000
    assert trees.used(tmp_path) == once


def test_exchange_swaps_two_directories(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "me").write_text(name)
    trees.exchange(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a" / "me").read_text() == "b"
    assert (tmp_path / "b" / "me").read_text() == "a"


def test_removing_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "link").symlink_to("kept")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "link").symlink_to("../kept")
    for name in ("link", "tree", "missing"):
        trash.remove(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (tmp_path / "kept" / "file").exists()


def test_a_record_is_private_and_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    assert records.read(path) is None
    for value in ("one", "two"):
        records.write(path, {"value": value})
    assert records.read(path) == {"value": "two"}
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert records.try_lock(path) is None, "only an existing lock is tried"
    with records.locked(path):
        assert records.try_lock(path) is None
    handle = records.try_lock(path)
    assert handle is not None
    os.close(handle)


def test_the_shipped_flavors_are_small_medium_and_large() -> None:
    assert [(flavor.id, flavor.name) for flavor in flavors.load()] == [
        ("1", "small"),
        ("2", "medium"),
        ("3", "large"),
    ]


@pytest.mark.parametrize(
    "text", ["[[flavor]]\nid = 1", "[[flavor", '[[flavor]]\nid="1"\nname="x"\nram="much"\nvcpus=1']
)
def test_a_wrong_catalogue_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "flavors.toml"
    path.write_text(text)
    with pytest.raises(ProviderError, match=r"flavors\.toml"):
        flavors.load(path)


def test_a_name_that_is_an_id_is_kept_as_the_id() -> None:
    name = "0b1c2d3e-4f50-4162-8374-95a6b7c8d9e0"
    assert handles.identify(name.upper()) == name
    assert handles.identify("other") == handles.identify("other") != handles.identify("another")


@pytest.mark.parametrize(
    "change", [{"v": 2}, {"kind": "port"}, {"key": "../../../etc"}, {"provider": "fake"}]
)
def test_a_handle_of_another_kind_or_version_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ProviderError, match="handle"):
        handles.Handles("local").key(handles.Handles("local").make("volume", "v") | change, "volume")


HOLD = """
import signal, sys
from pathlib import Path
from instar.control.providers.directories import records
with records.locked(Path(sys.argv[1])):
    print("held", flush=True)
    signal.pause()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process, which holds the lock `tmp_path / "lock"`."""
    argv = [sys.executable, "-c", HOLD, str(tmp_path / "lock")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_lock_is_taken_from_a_process_that_is_frozen_and_never_acts_again(
    tmp_path: Path, holder: "subprocess.Popen[str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen, "PATIENCE", 0.0)
    holder.send_signal(signal.SIGSTOP)
    with records.locked(tmp_path / "lock"):
        assert holder.wait() == -signal.SIGKILL


def test_a_lock_is_not_taken_from_a_process_that_works(
    tmp_path: Path, holder: "subprocess.Popen[str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen, "PATIENCE", 0.0)
    monkeypatch.setattr(frozen, "_LOOK", 0.0)
    monkeypatch.setattr(records, "LONGEST_WAIT", 0.1)
    with pytest.raises(TimeoutError, match="somebody else"), records.locked(tmp_path / "lock"):
        pass
    assert holder.poll() is None
