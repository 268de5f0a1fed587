"""Root directories: unpacked from an image, made ready for one server; its machine puts them in place."""

import os
from pathlib import Path, PurePosixPath
from typing import Any

from instar.control.providers.base import Image
from instar.control.providers.local import trees
from instar.control.providers.local.machine import trash
from instar.wire.agent import IMAGE_MANIFEST, Manifest
from instar.wire.errors import BadRequest

DATA = "var/lib/instar/data"
_MANIFEST_LIMIT = 65536


def stage(server: Path, image: Image, tree: Path, owner: int | None) -> Path:
    """Find or unpack the image beside the server's root; images staged before are removed."""
    staged = server / "staged" / image.ref.removeprefix("sha256:")
    for other in (server / "staged").iterdir():
        if other != staged:
            trash.remove(other)
    if not staged.exists():
        partial = staged.with_suffix(".partial")
        trees.unpack(tree, partial, owner)
        partial.rename(staged)
    return staged


def make_next(
    server: Path, staged: Path, image: Image, files: dict[str, str], record: dict[str, Any]
) -> None:
    """Make `next` out of a staged image: manifest, injected files, the way to the data volume."""
    following, partial = server / "next", server / "next.partial"
    trash.remove(following)
    trash.remove(partial)
    staged.rename(partial)
    manifest = image.manifest.model_dump_json(indent=1)
    for name, text in {IMAGE_MANIFEST: manifest, **files}.items():
        _inject(partial, _inside(name), text, record["uid"])
    for name in ("run", "tmp"):
        _directory(partial / name, record["uid"])
    link_data(partial, record["data"], record["uid"])
    partial.chmod(0o700)
    partial.rename(following)


def link_data(root: Path, data: str | None, owner: int | None) -> None:
    """Make the volume's directory appear in a root, or nothing when `data` is None.

    The guest may own the root and run: every directory on the way is opened without following links.
    """
    *way, name = DATA.split("/")
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in way:
            handle = _descend(handle, part, owner)
        _unlink(name, handle)
        if data is not None:
            os.symlink(data, name, dir_fd=handle)
    finally:
        os.close(handle)


def image_of(root: Path) -> str | None:
    """Read from a root which image it was made from, None when it doesn't say (the guest may write there)."""
    try:
        handle = os.open(root / IMAGE_MANIFEST, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            return Manifest.model_validate_json(file.read(_MANIFEST_LIMIT)).digest
    except (OSError, ValueError):
        return None


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise BadRequest(f"files: {name!r} is no path below the server's root")
    return path


def _inject(root: Path, path: PurePosixPath, text: str, owner: int | None) -> None:
    for parent in reversed(path.parents[:-1]):
        _directory(root / parent, owner)
    target = root / path
    trash.remove(target)
    target.touch(mode=0o600)
    target.write_text(text)
    if owner is not None:
        os.chown(target, owner, owner)


def _directory(path: Path, owner: int | None) -> None:
    if not path.exists():
        path.mkdir(0o755)
        if owner is not None:
            os.chown(path, owner, owner)


def _descend(handle: int, part: str, owner: int | None) -> int:
    """Open a directory in an open one, making it when it is missing; the one before is closed."""
    try:
        if not _exists(part, handle):
            os.mkdir(part, 0o755, dir_fd=handle)
            if owner is not None:
                os.chown(part, owner, owner, dir_fd=handle, follow_symlinks=False)
        return os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handle)
    finally:
        os.close(handle)


def _exists(name: str, handle: int) -> bool:
    try:
        os.lstat(name, dir_fd=handle)
    except FileNotFoundError:
        return False
    return True


def _unlink(name: str, handle: int) -> None:
    """Remove a link, or the empty directory that an image may have in its place."""
    try:
        os.unlink(name, dir_fd=handle)
    except FileNotFoundError:
        pass
    except IsADirectoryError:
        os.rmdir(name, dir_fd=handle)
