"""The directory of images: `<image_dir>/<hex>/{manifest.json,parameters.json,tree/}`, each made whole or not
at all."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from instar.wire.agent import Manifest, Parameter

Progress = Callable[[str], None]
"""Told in a few words what is being done now."""

PARAMETERS = "parameters.json"
"""Beside the tree: the parameters that the image's engine knows, a list of `wire.agent.Parameter`."""

_UNFINISHED = ".build-"
_CATALOGUE = TypeAdapter(list[Parameter])


def default_image_dir() -> Path:
    """Where the control plane on this machine keeps its images, unless told otherwise."""
    own = os.environ.get("INSTAR_STATE_DIR")
    if own:
        return Path(own) / "images"
    return (Path("/var/lib/instar") if os.geteuid() == 0 else Path.home() / ".local/share/instar") / "images"


def path_of(image_dir: Path, digest: str) -> Path:
    """Where the image with this digest lies."""
    return image_dir / digest.removeprefix("sha256:")


def parameters(image_dir: Path, digest: str) -> list[Parameter] | None:
    """Give the parameters that an image's engine knows; None when they can't be read."""
    try:
        return _CATALOGUE.validate_json((path_of(image_dir, digest) / PARAMETERS).read_bytes())
    except (OSError, ValidationError):
        return None


def images(image_dir: Path) -> list[Manifest]:
    """List the whole images of a directory, newest first; what can't be read is no image."""
    found = []
    for path in image_dir.glob("*/manifest.json"):
        try:
            manifest = Manifest.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            continue
        if (path.parent / "tree").is_dir() and path_of(image_dir, manifest.digest) == path.parent:
            found.append(manifest)
    return sorted(found, key=lambda manifest: (manifest.built_at, manifest.recipe), reverse=True)


@contextmanager
def scratch(directory: Path, progress: Progress) -> Iterator[Path]:
    """Give a folder to make things in beside their place; it goes at the end, or when the next one is given.

    One caller at a time: whoever waits is likely to find its thing made already.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("waiting for another build to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for stale in directory.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(stale)
        with tempfile.TemporaryDirectory(dir=directory, prefix=_UNFINISHED) as folder:
            yield Path(folder)


def keep(image_dir: Path, tree: Path, manifest: Manifest, parameters: list[Parameter]) -> Path:
    """Move a finished tree into the directory under its digest; tells where it lies.

    Of an image that lies there already only the parameters are written, where they are missing.
    """
    place = path_of(image_dir, manifest.digest)
    if place.exists():
        if not (place / PARAMETERS).exists():
            _write(tree.parent / PARAMETERS, _CATALOGUE.dump_json(parameters, indent=1))
            (tree.parent / PARAMETERS).rename(place / PARAMETERS)
        return place
    whole = tree.parent / "image"
    whole.mkdir()
    tree.rename(whole / "tree")
    _write(whole / PARAMETERS, _CATALOGUE.dump_json(parameters, indent=1))
    _write(whole / "manifest.json", manifest.model_dump_json(indent=2).encode())
    whole.rename(place)
    return place


def _write(path: Path, text: bytes) -> None:
    path.write_bytes(text + b"\n")
    path.chmod(0o444)
