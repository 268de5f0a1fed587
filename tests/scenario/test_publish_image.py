"""A disk is published: it lies in Glance, and its version is what instances are made from."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from command_line import instar
from control_plane_stub import Socket, socket
from glance_stub import Glance
from instar.control import wiring
from instar.images import store
from instar.wire.agent import Manifest
from instar.wire.image_properties import from_properties

__all__ = ["socket"]


@pytest.fixture
def glance(world: Any) -> Iterator[Glance]:
    """Give a Glance whose whole images are those of the control plane's provider."""

    def seen(image: dict[str, Any]) -> None:
        found = from_properties(image, image["id"])
        assert found is not None
        world.provider.add_image(*found)

    stub = Glance(seen)
    yield stub
    stub.close()


@pytest.fixture
def cloud(glance: Glance, world: Any, socket: Socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the command line talk to that Glance and to a control plane of its own."""
    socket.app = world.door
    conf = world.house.conf
    for name, value in {
        "INSTAR_ENDPOINT": socket.endpoint,
        "INSTAR_PROJECT": conf.api.project,
        "INSTAR_TOKEN": next(iter(wiring.local_tokens(conf))),
        "OS_AUTH_TYPE": "none",
        "OS_ENDPOINT": glance.url,
        "OS_IMAGE_ENDPOINT_OVERRIDE": glance.url,
    }.items():
        monkeypatch.setenv(name, value)


def disk(image_dir: Path, content: bytes) -> Manifest:
    """Put a disk of PostgreSQL 16 into a directory."""
    manifest = Manifest(
        digest=f"sha256:{hashlib.sha256(content).hexdigest()}",
        recipe="postgresql-16",
        datastore="postgresql",
        manager="postgresql",
        engine_version="16.9",
        version_name="16.9",
        agent_version="0.1.0",
        format="qcow2",
        built_at=f"2026-01-01T00:00:{len(content):02}+00:00",
    )
    (image_dir / "making").mkdir(parents=True)
    file = image_dir / "making/content"
    file.write_bytes(content)
    store.keep(image_dir, file, manifest, [])
    (image_dir / "making").rmdir()
    return manifest


@pytest.mark.usefixtures("cloud")
def test_a_published_disk_is_a_version_and_a_newer_one_takes_its_place(
    glance: Glance, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish = "image", "publish", "postgresql-16", "--image-dir", str(tmp_path), "-f", "json"
    first = disk(tmp_path, b"first")
    said = instar(*publish, "--default")
    assert said.status == 0, said.err
    assert said.json["digest"] == first.digest
    assert "uploading, 100 %" in capsys.readouterr().err
    again = instar(*publish)
    assert (again.status, glance.uploads) == (0, 1), again.err
    assert instar("version", "show", "16.9", "-f", "json").json["image"] == said.json["image"]
    second = disk(tmp_path, b"second")
    newer = instar(*publish)
    assert newer.json["digest"] == second.digest
    assert instar("version", "show", "16.9", "-f", "json").json["image"] == newer.json["image"]


@pytest.mark.usefixtures("cloud")
def test_without_a_cloud_or_a_disk_the_command_says_what_to_do(
    glance: Glance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = "image", "publish", "postgresql-16", "--image-dir", str(tmp_path)
    missing = instar(*publish)
    assert missing.status == 1
    assert "instar image build RECIPE --disk" in missing.err
    disk(tmp_path, b"first")
    monkeypatch.setenv("OS_CLOUD", "nowhere")
    homeless = instar(*publish)
    assert homeless.status == 1
    assert "nowhere" in homeless.err
    assert "--os-cloud" in homeless.err
    assert not glance.images
