"""The directory of images: `<image_dir>/<hex>/{manifest.json,parameters.json}` and, by the manifest's format,
`tree/`, `rootfs.tar` or `disk.qcow2`; each made whole or not at all."""

import contextlib
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
"""Beside the content: the parameters that the image's engine knows, a list of `wire.agent.Parameter`."""

CONTENT = {"tree": "tree", "oci": "rootfs.tar", "qcow2": "disk.qcow2"}
"""What an image's content is called, by the manifest's format."""

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
        whole = (path.parent / CONTENT[manifest.format]).exists()
        if whole and path_of(image_dir, manifest.digest) == path.parent:
            found.append(manifest)
    return sorted(found, key=lambda manifest: (manifest.built_at, manifest.recipe), reverse=True)


@contextmanager
def scratch(directory: Path, progress: Progress, thing: str) -> Iterator[Path]:
    """Give a folder to make a thing in beside its place; it goes at the end, or when the next one is given.

    One caller for each thing at a time: whoever waits is likely to find it made already.
    """
    directory.mkdir(parents=True, exist_ok=True)
    _sweep(directory)
    with _lock_of(directory, thing).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("waiting for another build to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        with tempfile.TemporaryDirectory(dir=directory, prefix=f"{_UNFINISHED}{thing}=") as folder:
            yield Path(folder)


def _sweep(directory: Path) -> None:
    """Remove what killed builds left: what nobody holds the lock of."""
    for stale in directory.glob(f"{_UNFINISHED}*=*"):
        thing = stale.name.removeprefix(_UNFINISHED).rpartition("=")[0]
        with contextlib.suppress(BlockingIOError), _lock_of(directory, thing).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(stale, ignore_errors=True)


def _lock_of(directory: Path, thing: str) -> Path:
    return directory / f".lock-{thing}"


def keep(image_dir: Path, content: Path, manifest: Manifest, parameters: list[Parameter]) -> Path:
    """Move a finished tree or archive into the directory under its digest; tells where it lies.

    Of an image that lies there already only the parameters are written, where they are missing.
    """
    place = path_of(image_dir, manifest.digest)
    if place.exists():
        if not (place / PARAMETERS).exists():
            _write(content.parent / PARAMETERS, _CATALOGUE.dump_json(parameters, indent=1))
            (content.parent / PARAMETERS).rename(place / PARAMETERS)
        return place
    whole = content.parent / "image"
    whole.mkdir()
    content.rename(whole / CONTENT[manifest.format])
    _write(whole / PARAMETERS, _CATALOGUE.dump_json(parameters, indent=1))
    _write(whole / "manifest.json", manifest.model_dump_json(indent=2).encode())
    whole.rename(place)
    return place


def _write(path: Path, text: bytes) -> None:
    path.write_bytes(text + b"\n")
    path.chmod(0o444)
