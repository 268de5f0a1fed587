"""The image store: `<image_dir>/<hex>/{manifest.json,parameters.json,tree/}`, immutable, named by the digest.

An image that is listed or looked up has a readable manifest and an agent; that its content is what its digest
says is checked whenever it is unpacked.
"""

import re
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from instar.control.providers.base import Image
from instar.control.providers.local.machine.agent import PROGRAM
from instar.wire.agent import Manifest, Parameter
from instar.wire.errors import NotFound, ProviderError
from instar.wire.image_digest import image_digest

_REF = re.compile(r"sha256:[0-9a-f]{64}")
_PARAMETERS = TypeAdapter(list[Parameter])
_BUILD = "build it with `instar image build` and register the digest that it prints"


class ImageStore:
    """Images under one directory; reads only."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

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

    def parameters(self, ref: str) -> list[Parameter]:
        """List the settings that an image's engine knows, none when it tells of none."""
        path = self._place(self.get(ref).ref) / "parameters.json"
        try:
            return _PARAMETERS.validate_json(path.read_text())
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            raise _damaged(ref, f"parameters.json: {error}") from error

    def tree(self, ref: str) -> Path:
        """Give the directory that holds an image's files."""
        return self._place(ref) / "tree"

    def _place(self, ref: str) -> Path:
        if not _REF.fullmatch(ref):
            raise NotFound(
                f"{ref!r} is no image of the local provider", remedy="refer to it as sha256:<64 digits>"
            )
        return self._directory / ref.removeprefix("sha256:")


def check_content(image: Image, tree: Path) -> None:
    """Raise ProviderError unless a tree is what its image's digest says."""
    if (seen := image_digest(tree)) != image.ref:
        raise _damaged(image.ref, f"the digest of its content is {seen}")


def _damaged(ref: str, seen: str) -> ProviderError:
    return ProviderError(
        f"Image {ref} is damaged", seen=seen, remedy="delete its directory and build the image again"
    )
