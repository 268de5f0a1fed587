"""A disk's way into Glance: once, whole or not at all, and told to be ours by its properties."""

import hashlib
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openstack
import pytest

from glance_stub import Glance
from instar.images import publishing, store
from instar.images.errors import PublishError
from instar.images.publish_command import publish, refuse_to_drop_tags
from instar.wire.agent import Manifest, Parameter
from instar.wire.errors import BadRequest, NotFound
from instar.wire.image_properties import from_properties

CONTENT = b"QFI\xfb" + bytes(20) + struct.pack(">Q", (1 << 30) + 1) + b"disk" * 1000
PARAMETERS = [Parameter(name="max_connections", type="integer", default="100")]
Publish = Callable[[], str]


@pytest.fixture
def glance() -> Iterator[Glance]:
    stub = Glance()
    yield stub
    stub.close()


def keep(image_dir: Path, form: str, content: bytes = CONTENT) -> Manifest:
    """Put an image into a directory."""
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    manifest = Manifest.model_validate(
        {
            "digest": digest,
            "recipe": "postgresql-15",
            "datastore": "postgresql",
            "manager": "postgresql",
            "engine_version": "15.18",
            "version_name": "15",
            "agent_version": "0.1.0",
            "format": form,
        }
    )
    place = image_dir / "making"
    place.mkdir(parents=True)
    file = place / "content"
    file.write_bytes(content)
    store.keep(image_dir, file, manifest, PARAMETERS)
    place.rmdir()
    return manifest


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return keep(tmp_path, "qcow2")


@pytest.fixture
def publish_it(glance: Glance, manifest: Manifest, tmp_path: Path) -> Iterator[Publish]:
    cloud = openstack.connect(
        auth_type="none", auth={"endpoint": glance.url}, image_endpoint_override=glance.url
    )
    yield lambda: publish(cloud.image, tmp_path, manifest, lambda _: None)
    cloud.close()


def test_a_disk_is_uploaded_and_tells_its_manifest(
    glance: Glance, manifest: Manifest, publish_it: Publish
) -> None:
    image = publish_it()
    (there,) = glance.images.values()
    assert (there["id"], there["status"], there["disk_format"]) == (image, "active", "qcow2")
    assert there["os_hash_value"] == hashlib.sha512(CONTENT).hexdigest()
    assert there["min_disk"] == 2
    told = from_properties(there, image)
    assert told == (manifest.model_copy(update={"digest": image}), PARAMETERS)


def test_what_is_there_is_found(glance: Glance, publish_it: Publish) -> None:
    assert publish_it() == publish_it()
    assert glance.uploads == 1


def test_a_disk_that_is_there_already_gets_the_tags_too(
    glance: Glance, manifest: Manifest, tmp_path: Path, publish_it: Publish
) -> None:
    image = publish_it()
    cloud = openstack.connect(
        auth_type="none", auth={"endpoint": glance.url}, image_endpoint_override=glance.url
    )
    again = publish(cloud.image, tmp_path, manifest, lambda _: None, tags=["postgresql", "stable"])
    cloud.close()
    assert again == image
    assert glance.images[image]["tags"] == ["postgresql", "stable"]


@pytest.mark.parametrize("fault", ["tears", "spoils"])
def test_an_upload_that_fails_leaves_nothing(glance: Glance, publish_it: Publish, fault: str) -> None:
    setattr(glance, fault, True)
    with pytest.raises(PublishError):
        publish_it()
    assert not glance.images
    setattr(glance, fault, False)
    publish_it()
    assert len(glance.images) == 1


def test_what_a_publisher_left_that_was_killed_looks_like_no_image_and_goes(
    glance: Glance, publish_it: Publish, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(publishing, "_check", killed)
        patched.setattr("openstack.image.v2._proxy.Proxy.delete_image", lambda *_, **__: None)
        with pytest.raises(KeyboardInterrupt):
            publish_it()
    (left,) = glance.images.values()
    assert from_properties(left, left["id"]) is None
    image = publish_it()
    assert list(glance.images) == [image]


@pytest.mark.parametrize(("tags", "fits"), [([], False), (["a"], False), (["b", "a", "c"], True)])
def test_a_version_by_tags_does_not_lose_them_by_the_way(tags: list[str], *, fits: bool) -> None:
    version = SimpleNamespace(name="17", image_tags=["a", "b"])
    meaning = {"image_tags": tags} if tags else {"image": "x"}
    if fits:
        refuse_to_drop_tags(version, meaning)
    else:
        with pytest.raises(PublishError, match="--tag a --tag b"):
            refuse_to_drop_tags(version, meaning)


def test_the_newest_disk_of_a_recipe_or_the_one_with_a_digest_is_chosen(
    tmp_path: Path, manifest: Manifest
) -> None:
    archive = keep(tmp_path, "oci", b"tar")
    assert publishing.choose(tmp_path, "postgresql-15") == manifest
    assert publishing.choose(tmp_path, manifest.digest) == manifest
    with pytest.raises(BadRequest, match="no disk"):
        publishing.choose(tmp_path, archive.digest)
    with pytest.raises(NotFound):
        publishing.choose(tmp_path, "mariadb-11.8")
