from pathlib import Path

import pytest

from instar.agent import facts
from instar.wire import agent as wire
from instar.wire.errors import GuestError


def test_what_was_injected_is_read(root: Path) -> None:
    found = facts.load(root)
    assert (found.instance_id, found.address, found.port) == ("i-1", "127.0.0.1", 5432)
    assert (found.listen_address, found.listen_port) == ("127.0.0.1", 9000)
    assert (found.manager, found.facts["ram"]) == ("postgresql", "256")
    assert found.manifest.engine_version == "17.10"


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        (wire.GUEST_INFO, "", "guest"),
        (wire.GUEST_INFO, "no ini", "guest_info.conf"),
        (wire.GUEST_INFO, "[guest]\naddress = 127.0.0.1\n", "instance_id"),
        (wire.GUEST_INFO, "[guest]\ninstance_id = i\naddress = a\ndatabase_port = 70000\n", "database_port"),
        (wire.GUEST_AGENT, "[agent]\nport = x\n", "port"),
        (wire.IMAGE_MANIFEST, "{", "image.json"),
        (wire.IMAGE_MANIFEST, "{}", "engine_version"),
    ],
)
def test_bad_files_are_told_by_name(root: Path, path: str, text: str, told: str) -> None:
    (root / path).write_text(text)
    with pytest.raises(GuestError, match=told):
        facts.load(root)


@pytest.mark.parametrize("path", [wire.GUEST_INFO, wire.GUEST_AGENT, wire.IMAGE_MANIFEST])
def test_missing_files_are_told_by_name(root: Path, path: str) -> None:
    (root / path).unlink()
    with pytest.raises(GuestError, match=Path(path).name):
        facts.load(root)


def test_boot_id_stays_until_run_is_emptied(root: Path) -> None:
    first = facts.boot_id(root)
    assert facts.boot_id(root) == first
    (root / "run/instar/boot_id").unlink()
    assert facts.boot_id(root) != first


def test_another_size_is_known_at_once_and_after_a_restart(root: Path) -> None:
    found = facts.load(root)
    for _ in range(2):
        found.resize(4096)
        assert (found.facts["ram"], facts.load(root).facts["ram"]) == ("4096", "4096")
    again = facts.load(root)
    assert (again.instance_id, again.address, again.port) == ("i-1", "127.0.0.1", 5432)


def test_volume_that_is_missing_or_of_unknown_kind_is_told(root: Path) -> None:
    facts.load(root).take_volume()
    (root / "var/lib/instar/data").rmdir()
    with pytest.raises(GuestError, match="not there"):
        facts.load(root).take_volume()
    (root / wire.GUEST_AGENT).write_text("[agent]\nvolume_kind = tape\n")
    with pytest.raises(GuestError, match="tape"):
        facts.load(root).take_volume()


def test_a_disk_takes_the_volumes_whole_id(root: Path) -> None:
    (root / wire.GUEST_AGENT).write_text("[agent]\nvolume_kind = disk\nvolume_id = 0c6d9c6e\n")
    with pytest.raises(GuestError, match="volume_id"):
        facts.load(root)


def test_a_disk_that_is_not_attached_is_told(root: Path) -> None:
    volume_id = "0c6d9c6e-7a52-4f0e-8c9b-5d0e3f6a1b2c"
    (root / wire.GUEST_AGENT).write_text(f"[agent]\nvolume_kind = disk\nvolume_id = {volume_id}\n")
    found = facts.load(root)
    with pytest.raises(GuestError, match=volume_id):
        found.take_volume(patience=0)
    with pytest.raises(GuestError, match="not mounted"):
        found.check_volume()
