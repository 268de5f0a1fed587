"""The podman provider's parts that need no engine: what it says when something is missing, what it packs."""

import io
import os
import socket
import tarfile
from pathlib import Path

import pytest

from instar.control import settings, wiring
from instar.control.providers.directories.images import ImageStore
from instar.control.providers.podman import archive, imports, service
from instar.control.providers.podman.containers import hardware_address
from instar.control.providers.podman.service import OwnService, find_service
from instar.wire.errors import NotFound, ProviderError


def members(packed: bytes) -> dict[str, tuple[int, int, bool]]:
    with tarfile.open(fileobj=io.BytesIO(packed)) as opened:
        return {each.name: (each.uid, each.mode, each.isdir()) for each in opened.getmembers()}


def test_what_is_missing_is_named_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProviderError, match=r"not installed: podman, iptables.*apt-get install podman"):
        OwnService(tmp_path / "run").ensure()
    assert not (tmp_path / "run").exists()


def test_a_service_that_does_not_start_is_told_of_in_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("podman", "iptables", "runc", "crun"):
        (tmp_path / name).write_text("#!/bin/sh\necho the storage is damaged\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(service, "_NETAVARK", [tmp_path])
    monkeypatch.setattr(service, "_START", 0.3)
    with pytest.raises(ProviderError, match="did not start") as refused:
        OwnService(tmp_path / "run").ensure()
    assert refused.value.body.retryable
    assert (tmp_path / "run" / "podman.log").read_text() in ("", "the storage is damaged\n")


def test_the_engine_that_is_named_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "SYSTEM", tmp_path / "system.sock")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    assert find_service(None, tmp_path).url == f"unix://{tmp_path}/podman.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "system.sock"))
        listening.listen()
        assert find_service(None, tmp_path).url == f"unix://{tmp_path}/system.sock"
        monkeypatch.setenv("DOCKER_HOST", "unix:///docker.sock")
        assert find_service(None, tmp_path).url == "unix:///docker.sock"
        assert find_service("unix:///given.sock", tmp_path).url == "unix:///given.sock"


def test_an_ordinary_user_is_told_to_be_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    conf = settings.load([], {"state_dir": str(tmp_path), "provider": "podman"})
    with pytest.raises(ProviderError, match="as root"):
        wiring.load_provider(conf)


def test_injected_files_are_their_owner_s_and_so_are_the_folders_below_writable_ones() -> None:
    packed = archive.files({"etc/instar/tls/agent.key": "k", "etc/other": "o"}, ["etc/instar"], 77)
    assert members(packed) == {
        "etc/instar": (77, 0o755, True),
        "etc/instar/tls": (77, 0o755, True),
        "etc/instar/tls/agent.key": (77, 0o600, False),
        "etc/other": (77, 0o600, False),
    }


def test_folders_in_memory_are_everybody_s() -> None:
    assert members(archive.folders(["etc/mysql"], ["run"], 77)) == {
        "etc/mysql": (77, 0o755, True),
        "run": (0, 0o1777, True),
    }


def test_a_system_that_was_cut_off_is_seen_at_once(tmp_path: Path) -> None:
    assert "no rootfs.tar" in imports.fault(tmp_path)
    with tarfile.open(tmp_path / "rootfs.tar", "w") as whole:
        whole.addfile(tarfile.TarInfo("etc"))
    assert imports.fault(tmp_path) == ""
    for size in (10239, 512, 0):
        os.truncate(tmp_path / "rootfs.tar", size)
        assert "no end" in imports.fault(tmp_path)


def test_an_image_of_another_format_is_another_provider_s(tmp_path: Path) -> None:
    place = tmp_path / ("0" * 64)
    place.mkdir()
    manifest = '{"recipe": "r", "datastore": "d", "manager": "m", "engine_version": "1", "version_name": "v",'
    (place / "manifest.json").write_text(manifest + ' "agent_version": "1", "format": "tree"}')
    store = ImageStore(tmp_path, "oci", lambda place: "")
    assert store.all() == []
    with pytest.raises(NotFound, match="another provider"):
        store.get(f"sha256:{'0' * 64}")


def test_a_hardware_address_is_local_and_follows_from_the_address() -> None:
    assert hardware_address("10.213.1.7") == "02:49:0a:d5:01:07"
