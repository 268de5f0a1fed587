"""Images: those in Glance that carry a manifest, and that nobody but an operator can have put there."""

from collections.abc import Sequence
from typing import Any

from instar.control.providers.base import Image
from instar.control.providers.openstack.cloud import Cloud
from instar.control.providers.openstack.handles import is_id
from instar.wire.agent import Parameter
from instar.wire.errors import NotFound, ProviderError
from instar.wire.image_properties import MANIFEST, from_properties

_ON_ITS_WAY = {"queued", "saving", "uploading", "importing"}


class Images:
    """Images are public ones, and those of the service account's own project: not what tenants share."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def all(self) -> list[Image]:
        """List the images that can be used and whose manifest can be read."""
        listed = self._cloud.ask("list images", lambda api: list(api.image.images(status="active")))
        readable = []
        for record in filter(self._is_ours, listed):
            try:
                readable.append(_read(record)[0])
            except ProviderError:  # whoever asks for it by its id is told
                continue
        return readable

    def get(self, ref: str) -> Image:
        """Find one image. Raises NotFound, and ProviderError when its manifest can't be read."""
        return _read(self._record(ref))[0]

    def newest(self, tags: Sequence[str]) -> str | None:
        """Find the image that was made last of those that can be used and carry all tags."""
        wanted = {"status": "active", "tag": list(tags)}
        listed = self._cloud.ask("list images", lambda api: list(api.image.images(**wanted)))
        ours = [each for each in listed if self._is_ours(each) and {*tags} <= {*each.tags}]
        newest = max(ours, key=lambda each: (each.created_at, each.id), default=None)
        return str(newest.id) if newest else None

    def parameters(self, ref: str) -> list[Parameter]:
        """List the settings that an image's engine knows. Raises NotFound."""
        return _read(self._record(ref))[1]

    def usable(self, ref: str) -> Image:
        """Find an image to boot from. Raises NotFound, and ProviderError when that would not do."""
        record = self._record(ref)
        if record.status != "active":
            coming = record.status in _ON_ITS_WAY
            raise ProviderError(
                f"Image {ref} is not there yet" if coming else f"Image {ref} is damaged or was withdrawn",
                seen=f"Glance says that it is {record.status}",
                remedy="wait for the end of its upload" if coming else "publish the image again",
                retryable=coming,
            )
        return _read(record)[0]

    def _record(self, ref: str) -> Any:
        record = (
            self._cloud.find("find an image", lambda api: api.image.get_image(ref)) if is_id(ref) else None
        )
        if record is None or not self._is_ours(record):
            raise NotFound(f"No image {ref}", seen="Glance has none with that id which carries a manifest")
        return record

    def _is_ours(self, record: Any) -> bool:
        trusted = record.visibility == "public" or record.owner_id == self._cloud.project
        return trusted and MANIFEST in (record.properties or {})


def _read(record: Any) -> tuple[Image, list[Parameter]]:
    try:
        described = from_properties(record.properties, record.id)
    except ValueError as error:
        raise ProviderError(
            f"Image {record.id} can't be read", seen=str(error), remedy="publish the image again"
        ) from error
    assert described is not None  # its manifest is among the properties
    return Image(record.id, described[0]), described[1]
