"""A disk's way into Glance: once for each digest, and told to be one of ours only when it is whole.

1. An image with this digest is there: nothing to do.
2. What an upload before left unfinished is deleted.
3. A new image takes the bytes; Glance's own checksum is held against ours.
4. Then it gets the properties by which a provider knows it: manifest, engine's parameters, digest.
"""

import hashlib
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openstack.exceptions import raise_from_response

from instar.images import store
from instar.images.errors import PublishError
from instar.images.store import Progress
from instar.wire.agent import Manifest, Parameter
from instar.wire.errors import BadRequest, NotFound
from instar.wire.image_properties import to_properties

if TYPE_CHECKING:
    from openstack.image.v2._proxy import Proxy
    from openstack.image.v2.image import Image

DIGEST = "instar_digest"
"""Property of a whole image: the digest that it has in the directory of images."""
_HARDWARE: dict[str, Any] = {
    "os_distro": "debian",
    "hw_disk_bus": "virtio",
    "hw_vif_model": "virtio",
    "hw_rng_model": "virtio",
}
_PATCH = "application/openstack-images-v2.1-json-patch"
_GIB = 1 << 30
_VIRTUAL_SIZE = slice(24, 32)
"""Where a qcow2 file tells how large its disk is."""


def choose(image_dir: Path, name: str) -> Manifest:
    """Give the disk with a digest, or the newest one of a recipe. Raises NotFound or BadRequest."""
    found = [each for each in store.images(image_dir) if name in (each.digest, each.recipe)]
    disks = [each for each in found if each.format == "qcow2"]
    if disks:
        return disks[0]
    remedy = "Build it: instar image build RECIPE --disk. See `instar image list`."
    if found:
        raise BadRequest(f"Image {name} is no disk", seen=f"format {found[0].format}", remedy=remedy)
    raise NotFound(f"There is no image {name} in {image_dir}", remedy=remedy)


def publish(
    glance: "Proxy", image_dir: Path, manifest: Manifest, progress: Progress, *, tags: Iterable[str] = ()
) -> str:
    """Upload a disk, or find it there, and give it the tags; gives Glance's id of it. Raises PublishError."""
    image = _find_or_upload(glance, image_dir, manifest, progress)
    for tag in tags:
        glance.add_tag(image, tag)
    return image


def _find_or_upload(glance: "Proxy", image_dir: Path, manifest: Manifest, progress: Progress) -> str:
    disk = store.path_of(image_dir, manifest.digest) / store.CONTENT["qcow2"]
    name = f"instar-{manifest.recipe}-{manifest.digest.removeprefix('sha256:')[:12]}"
    known = store.parameters(image_dir, manifest.digest) or []
    progress("looking in Glance")
    there = list(glance.images(name=name))
    for image in there:
        if image.status == "active" and image.properties.get(DIGEST) == manifest.digest:
            progress("it is there already")
            return str(image.id)
    for image in there:
        progress(f"deleting {image.id}, which an upload left unfinished")
        glance.delete_image(image)
    return _upload(glance, name, disk, _properties(manifest, known), progress)


def _properties(manifest: Manifest, known: Iterable[Parameter]) -> dict[str, str]:
    return {**to_properties(manifest, known), DIGEST: manifest.digest}


def _upload(glance: "Proxy", name: str, disk: Path, properties: dict[str, str], progress: Progress) -> str:
    image = glance.create_image(
        name, disk_format="qcow2", container_format="bare", min_disk=_gib(disk), **_HARDWARE
    )
    whole = False
    try:
        with _Told(disk, progress) as data:
            raise_from_response(image.upload(glance, data=data))
        progress("checking what Glance has")
        _check(glance.get_image(image.id), data)
        _describe(glance, str(image.id), properties)
        whole = True
    finally:
        if not whole:
            glance.delete_image(image.id, ignore_missing=True)
    return str(image.id)


def _describe(glance: "Proxy", image_id: str, properties: dict[str, str]) -> None:
    """Add all properties in one step."""
    changes = [{"op": "add", "path": f"/{name}", "value": value} for name, value in properties.items()]
    answer = glance.patch(f"/images/{image_id}", data=json.dumps(changes), headers={"Content-Type": _PATCH})
    raise_from_response(answer)


def _check(image: "Image", sent: "_Told") -> None:
    seen = image.status, image.size, image.hash_value if image.hash_algo == "sha512" else None
    if seen not in (("active", sent.size, sent.sha512.hexdigest()), ("active", sent.size, None)):
        raise PublishError(
            "Glance does not have what was uploaded",
            seen=f"status {image.status}, {image.size} bytes of {sent.size}, sha512 {image.hash_value}",
            remedy="Publish the image again.",
            retryable=True,
        )


def _gib(disk: Path) -> int:
    """Tell the size of the disk that the file holds, as flavors count it."""
    with disk.open("rb") as file:
        header = file.read(_VIRTUAL_SIZE.stop)
    return -(-int.from_bytes(header[_VIRTUAL_SIZE], "big") // _GIB)


class _Told(io.BufferedReader):
    """A file that is read once, and tells how far."""

    def __init__(self, path: Path, progress: Progress) -> None:
        super().__init__(io.FileIO(path))
        self.size, self.sha512 = path.stat().st_size, hashlib.sha512()
        self._progress, self._read, self._told = progress, 0, -1

    def read(self, size: int | None = -1, /) -> bytes:
        """Read on."""
        part = super().read(size)
        self.sha512.update(part)
        self._read += len(part)
        if (percent := 100 * self._read // max(1, self.size)) // 10 != self._told:
            self._told = percent // 10
            self._progress(f"uploading, {percent} % of {self.size >> 20} MiB")
        return part
