"""The image store: `<image_dir>/<hex>/`, immutable, named by the digest of its content.

    manifest.json      what it is
    parameters.json    the settings that its engine knows, if it tells
    tree/              its content, of a `tree` image, or
    rootfs.tar         its content, of an `oci` image: all files of a whole system

An image that is listed or looked up has a readable manifest and, at first sight, its content; that this is
what its digest says is checked by whoever unpacks it.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from instar.control.providers.base import Image
from instar.wire.agent import Manifest, Parameter
from instar.wire.errors import NotFound, ProviderError

_REF = re.compile(r"sha256:[0-9a-f]{64}")
_PARAMETERS = TypeAdapter(list[Parameter])
_BUILD = "build it with `instar image build` and register the digest that it prints"


class ImageStore:
    """Images of one format under one directory; reads only.

    `fault` is told an image's directory and says what is wrong with its content at first sight, or nothing.
    """

    def __init__(self, directory: Path, form: Literal["tree", "oci"], fault: Callable[[Path], str]) -> None:
        self._directory, self._form, self._fault = directory, form, fault

    def all(self) -> list[Image]:
        """List the images that are whole, by digest."""
        found = []
        for manifest in sorted(self._directory.glob("*/manifest.json")):
            try:
                found.append(self.get(f"sha256:{manifest.parent.name}"))
            except (NotFound, ProviderError):
                continue
        return found

    def get(self, ref: str) -> Image:
        """Find one image. Raises NotFound, and ProviderError when it is there and damaged."""
        place = self.place(ref)
        try:
            manifest = Manifest.model_validate_json((place / "manifest.json").read_text())
        except FileNotFoundError as error:
            raise NotFound(f"No image {ref} in {self._directory}", remedy=_BUILD) from error
        except (OSError, ValueError, ValidationError) as error:
            raise damaged(ref, f"manifest.json: {error}") from error
        if manifest.format != self._form:
            raise NotFound(f"Image {ref} is for another provider", seen=f"its format is {manifest.format}")
        if fault := self._fault(place):
            raise damaged(ref, fault)
        return Image(ref, manifest.model_copy(update={"digest": ref}))

    def parameters(self, ref: str) -> list[Parameter]:
        """List the settings that an image's engine knows, none when it tells of none."""
        path = self.place(self.get(ref).ref) / "parameters.json"
        try:
            return _PARAMETERS.validate_json(path.read_text())
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            raise damaged(ref, f"parameters.json: {error}") from error

    def place(self, ref: str) -> Path:
        """Give an image's directory, whether or not it is there. Raises NotFound for what is no digest."""
        if not _REF.fullmatch(ref):
            raise NotFound(f"{ref!r} is no image", remedy="refer to it as sha256:<64 digits>")
        return self._directory / ref.removeprefix("sha256:")


def damaged(ref: str, seen: str) -> ProviderError:
    """Make the error of an image that is not what it should be."""
    return ProviderError(
        f"Image {ref} is damaged", seen=seen, remedy="delete its directory and build the image again"
    )
