"""What a hostile guest may do to its own files, and that it leads nobody astray and gains nothing."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from harnesses import FILES, LocalHarness, Rig, until
from processes import watched
from toy_guest import make_image

from instar.control.providers.directories import trees
from instar.wire.errors import ProviderError
from instar.wire.states import ServerState

ROUNDS = 4
needs_root = pytest.mark.skipif(
    os.getuid() != 0, reason="without root, a guest is the control plane's own user"
)


@pytest.fixture
def victim(place: Path) -> Path:
    """A file of root's that no guest may read, write or own."""
    path = place / "victim"
    path.write_text("root only")
    path.chmod(0o600)
    return path


def is_unharmed(victim: Path) -> bool:
    info = victim.stat()
    return (info.st_uid, info.st_mode & 0o777, victim.read_text()) == (os.getuid(), 0o600, "root only")


def owner_of(rig: Rig) -> int:
    return int(rig.harness.data(rig.volume.handle).stat().st_uid)


@contextlib.contextmanager
def racing(uid: int, server: Path, victim: Path) -> Iterator[None]:
    """Have a process of the guest's plant links to the victim wherever it can in the server's directory."""
    if (pid := os.fork()) == 0:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
        while True:
            for directory, below, names in os.walk(server):
                if directory == str(server) and "root" in below:
                    below.remove("root")
                for name in {*names, "guest_info.conf", "image.json", "data"}:
                    with contextlib.suppress(OSError):
                        Path(directory, name).symlink_to(victim)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def reachable(server: Path, uid: int) -> list[str]:
    """List what a guest owns and can reach below its server's directory, its root apart."""
    found, directories = [], [server]
    while directories:
        for path in directories.pop().iterdir():
            if path == server / "root":
                continue
            info = path.lstat()
            if info.st_uid == uid:
                found.append(str(path))
            if path.is_dir() and not path.is_symlink() and (info.st_uid == uid or info.st_mode & 0o001):
                directories.append(path)
    return found


@needs_root
def test_a_guest_cannot_reach_its_next_root_while_that_is_made(local: LocalHarness) -> None:
    rig = Rig(local)
    uid, server, seen = owner_of(rig), local.place(rig.handle), set[str]()

    def rebuild() -> None:
        provider = local.reopen()
        provider.stage(rig.handle, local.images[1])
        provider.rebuild_server(rig.handle, local.images[1], dict(FILES), "t")

    said = watched(rebuild, lambda: seen.update(reachable(server, uid)), lambda: repr(sorted(seen)))
    assert said == "[]"
    assert rig.up().image == local.images[1]


@needs_root
def test_a_guest_that_plants_links_while_its_next_root_is_made_gains_nothing(
    local: LocalHarness, victim: Path
) -> None:
    rig = Rig(local)
    for number in range(ROUNDS):
        image = local.images[(number + 1) % 2]
        with racing(owner_of(rig), local.place(rig.handle), victim):
            local.provider.rebuild_server(rig.handle, image, dict(FILES), f"t{number}")
            assert rig.up().image == image
        assert local.injected(rig.handle) == FILES
        assert is_unharmed(victim)


@needs_root
def test_a_guest_cannot_have_others_files_given_to_the_next_server(tmp_path: Path, victim: Path) -> None:
    data = tmp_path / "data"
    (data / "deep").mkdir(parents=True)
    (data / "deep" / "row").touch()
    for path in (data, data / "deep", data / "deep" / "row"):
        os.chown(path, 12345, 12345)
    (data / "deep" / "link").symlink_to(victim)
    (data / "hard").hardlink_to(victim)
    trees.give(data, 54321)
    assert is_unharmed(victim)
    assert [path.lstat().st_uid for path in (data, data / "deep", data / "deep" / "row")] == [54321] * 3


@pytest.mark.parametrize("is_directory", [False, True])
def test_what_becomes_a_link_while_it_is_copied_is_not_followed(
    tmp_path: Path, victim: Path, is_directory: bool
) -> None:
    data, row = tmp_path / "data", tmp_path / "data" / "row"
    data.mkdir()
    row.mkdir() if is_directory else row.touch()

    def swap() -> None:
        if (tmp_path / "copy").exists() and not row.is_symlink():
            row.rmdir() if is_directory else row.unlink()
            row.symlink_to(victim.parent if is_directory else victim)

    def copy() -> None:
        with contextlib.suppress(OSError):
            trees.copy(data, tmp_path / "copy")

    def copied() -> str:
        return repr(
            [
                str(path)
                for path in (tmp_path / "copy").rglob("*")
                if not path.is_symlink() and path.stat().st_size and path.is_file()
            ]
        )

    assert watched(copy, swap, copied) == "[]"
    assert row.is_symlink(), "the swap took place"


def test_a_tree_that_is_endlessly_deep_is_refused(tmp_path: Path) -> None:
    deepest = tmp_path / "data" / "/".join("d" * (trees.DEEPEST + 1))
    deepest.mkdir(parents=True)
    for look in (
        lambda: trees.used(tmp_path / "data"),
        lambda: trees.copy(tmp_path / "data", tmp_path / "copy"),
    ):
        with pytest.raises(OSError, match="below each other"):
            look()


def test_links_that_a_guest_leaves_lead_nobody_astray(local_rig: Rig, place: Path) -> None:
    outside = place / "outside"
    outside.mkdir()
    (outside / "precious").write_text("kept")
    root = local_rig.harness.place(local_rig.handle) / "root"
    (root / "run").rmdir()
    (root / "run").symlink_to(outside)
    (root / "var/lib/instar").rename(root / "elsewhere")
    (root / "var/lib/instar").symlink_to(outside)
    provider = local_rig.harness.provider
    with pytest.raises(ProviderError):
        provider.attach_volume(local_rig.handle, local_rig.volume.handle)
    provider.reboot_server(local_rig.handle, "r")
    local_rig.up()
    assert [path.name for path in outside.iterdir()] == ["precious"]
    assert not (root / "run").is_symlink()


def test_a_guest_cannot_lie_about_its_image(local_rig: Rig) -> None:
    provider, root = local_rig.harness.provider, local_rig.harness.place(local_rig.handle) / "root"
    manifest = root / "etc/instar/image.json"
    manifest.write_text(manifest.read_text().replace(local_rig.image, local_rig.harness.images[1]))
    assert provider.inspect_server(local_rig.handle).image == local_rig.image
    manifest.unlink()
    os.mkfifo(manifest)
    assert provider.inspect_server(local_rig.handle).image == local_rig.image


def test_a_console_of_any_length_is_read_in_part(local_rig: Rig) -> None:
    console = local_rig.harness.place(local_rig.handle) / "console.log"
    os.truncate(console, 1 << 40)
    with console.open("a") as file:
        file.write("\nlast words\n")
    provider = local_rig.harness.provider
    until(lambda: provider.console_log(local_rig.handle, 1) == "last words", "the end of it is shown")
    assert local_rig.up().state == ServerState.ACTIVE


def test_links_in_an_image_are_not_followed(local: LocalHarness, place: Path) -> None:
    outside = place / "outside"
    outside.mkdir()
    image = make_image(
        local.settings.image_dir, "linked", change=lambda image: (image / "tree" / "etc").symlink_to(outside)
    )
    rig = Rig(local)
    with pytest.raises(ProviderError, match="rebuild_server"):
        local.provider.rebuild_server(rig.handle, image, dict(FILES), "t")
    assert list(outside.iterdir()) == []
    info = rig.up()
    assert (info.image, info.token, rig.boots()) == (local.images[0], "", [local.images[0]])
    assert [list((local.place(rig.handle) / part).iterdir()) for part in ("next", "staged")] == [[], []]
