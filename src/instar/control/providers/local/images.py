"""The image store: `<image_dir>/<hex>/{manifest.json,tree/}`, immutable, named by the content's digest."""

import re
from pathlib import Path

from pydantic import ValidationError

from instar.control.providers.base import Image
from instar.control.providers.local.machine.agent import PROGRAM
from instar.wire.agent import Manifest
from instar.wire.errors import NotFound, ProviderError

_REF = re.compile(r"sha256:[0-9a-f]{64}")
_BUILD = "build it with `instar image build` and register the digest that it prints"


class ImageStore:
    """Images under one directory; reads only."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def list(self) -> list[Image]:
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
        place = self._place(ref)
        try:
            manifest = Manifest.model_validate_json((place / "manifest.json").read_text())
        except FileNotFoundError as error:
            raise NotFound(f"No image {ref} in {self._directory}", remedy=_BUILD) from error
        except (OSError, ValueError, ValidationError) as error:
            raise _damaged(ref, f"manifest.json: {error}") from error
        if not (place / "tree" / PROGRAM).is_file():
            raise _damaged(ref, f"there is no tree/{PROGRAM}")
        return Image(ref, manifest.model_copy(update={"digest": ref}))

    def tree(self, ref: str) -> Path:
        """Give the directory that holds an image's files."""
        return self._place(ref) / "tree"

    def _place(self, ref: str) -> Path:
        if not _REF.fullmatch(ref):
            raise NotFound(
                f"{ref!r} is no image of the local provider", remedy="refer to it as sha256:<64 digits>"
            )
        return self._directory / ref.removeprefix("sha256:")


def _damaged(ref: str, seen: str) -> ProviderError:
    return ProviderError(
        f"Image {ref} is damaged", seen=seen, remedy="delete its directory and build the image again"
    )
