"""Root directories: unpacked from an image, made ready for one server; its machine puts them in place.

A root belongs to its guest, whose processes run while the next one is made. So that is made where only the
control plane's user can enter, in `staged/` and `next/`, and whatever a guest can reach is opened without
following links.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from instar.control.providers.base import Image
from instar.control.providers.directories import trash, trees
from instar.control.providers.directories.images import damaged
from instar.control.providers.local.machine.supervisor import NEXT
from instar.wire.agent import IMAGE_MANIFEST
from instar.wire.errors import ProviderError
from instar.wire.image_digest import image_digest

DATA = "var/lib/instar/data"
PRIVATE = ("staged", NEXT.parent.name, "trash")
"""Directories of a server that only the control plane's user may enter."""
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def stage(server: Path, image: Image, tree: Path, owner: int | None) -> Path:
    """Find or unpack the image beside the server's root; images staged before are removed.

    Raises ProviderError when there is no room for it or it is damaged, and leaves nothing of it.
    """
    staged = server / "staged" / image.ref.removeprefix("sha256:")
    for other in (server / "staged").iterdir():
        if other != staged:
            trash.remove(other)
    if not staged.exists():
        if (seen := image_digest(tree)) != image.ref:
            raise damaged(image.ref, f"the digest of its content is {seen}")
        partial = staged.with_suffix(".partial")
        with _whole_or_nothing(partial, tree):
            trees.unpack(tree, partial, owner)
            partial.rename(staged)
    return staged


def make_next(
    server: Path, image: Image, tree: Path, files: dict[str, str], data: str | None, owner: int | None
) -> None:
    """Make the next root: a staged image with its manifest, injected files, the way to the data volume.

    Raises ProviderError when there is no room for it, and leaves nothing of it.
    """
    following = server / NEXT
    partial = following.with_suffix(".partial")
    for path in (following, partial):
        trash.remove(path)
    staged = stage(server, image, tree, owner)
    with _whole_or_nothing(partial, tree):
        staged.rename(partial)
        with trees.opened(partial) as root:
            for name, text in {IMAGE_MANIFEST: image.manifest.model_dump_json(indent=1), **files}.items():
                _inject(root, PurePosixPath(name), text, owner)
            with _entered(root, ["tmp"], owner):
                os.fchmod(root, 0o700)
        link_data(partial, data, owner)
        partial.rename(following)


def link_data(root: Path, data: str | None, owner: int | None) -> None:
    """Make the volume's directory appear in a root, or nothing when `data` is None."""
    *way, name = DATA.split("/")
    with trees.opened(root) as top, _entered(top, way, owner) as directory:
        _unlink(name, directory)
        if data is not None:
            os.symlink(data, name, dir_fd=directory)


@contextlib.contextmanager
def _whole_or_nothing(partial: Path, tree: Path) -> Iterator[None]:
    """Remove what is only partly made when making it fails, and tell of the room when that was the cause."""
    try:
        yield
    except OSError as error:
        trash.remove(partial)
        if error.errno not in _NO_ROOM:
            raise
        needed, free = trees.used(tree), shutil.disk_usage(partial.parent).free
        raise ProviderError(
            "There is no room for the server's new root directory",
            seen=f"{error.strerror}: {needed / 2**20:.1f} MiB needed, {free / 2**20:.1f} MiB free "
            f"in {partial.parent}",
            remedy="free space there and resume the operation; the server is as it was before",
        ) from error


def _inject(root: int, path: PurePosixPath, text: str, owner: int | None) -> None:
    with _entered(root, path.parts[:-1], owner) as directory:
        _unlink(path.name, directory)
        handle = os.open(path.name, trees.TARGET, 0o600, dir_fd=directory)
        with os.fdopen(handle, "w") as file:
            file.write(text)
            if owner is not None:
                os.fchown(handle, owner, owner)


@contextlib.contextmanager
def _entered(directory: int, way: Sequence[str], owner: int | None) -> Iterator[int]:
    """Open a directory below an open one; those that are missing on the way are made, for `owner`."""
    with contextlib.ExitStack() as stack:
        for part in way:
            made = _make_directory(part, directory)
            directory = stack.enter_context(trees.opened(part, directory))
            if made and owner is not None:
                os.fchown(directory, owner, owner)
        yield directory


def _make_directory(name: str, directory: int) -> bool:
    try:
        os.mkdir(name, 0o755, dir_fd=directory)
    except FileExistsError:
        return False
    return True


def _unlink(name: str, directory: int) -> None:
    """Remove a file or link, or the empty directory that an image may have in its place."""
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        pass
    except IsADirectoryError:
        os.rmdir(name, dir_fd=directory)
