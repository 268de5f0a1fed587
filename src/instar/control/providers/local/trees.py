"""Copying directory trees, by reference where the file system can, and exchanging them."""

import ctypes
import errno
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

_FICLONE = 0x40049409
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_UNABLE = {errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS}
_libc = ctypes.CDLL(None, use_errno=True)


def copy(source: Path, target: Path) -> None:
    """Copy a tree to `target`, which must not exist: files, modes, times, links, and owners when we are root.

    Sockets and pipes are left out. When it returns, the copy is on the disk.
    """
    _Copier(None, writable=False).directory(source, target)
    sync(target)


def unpack(source: Path, target: Path, owner: int | None) -> None:
    """Copy a tree as `copy` does, with all of it given to the uid `owner`, which can write to directories."""
    _Copier(owner, writable=True).directory(source, target)
    sync(target)


def clone_file(source: Path, target: Path) -> bool:
    """Make `target` a copy of a file by reference; False, with nothing in it, where that is impossible."""
    with source.open("rb") as reading, target.open("wb") as writing:
        try:
            fcntl.ioctl(writing, _FICLONE, reading.fileno())
        except OSError as error:
            if error.errno in _UNABLE:
                return False
            raise
    return True


def clones(directory: Path) -> bool:
    """Find out, by trying, whether the file system at `directory` copies files by reference."""
    with tempfile.TemporaryDirectory(dir=directory, prefix=".probe-") as probe:
        source = Path(probe, "source")
        source.write_bytes(b"x" * 4096)
        return clone_file(source, Path(probe, "target"))


def exchange(one: Path, other: Path) -> None:
    """Swap two directories in one step. Raises OSError where the file system can't."""
    if _libc.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE):
        raise OSError(ctypes.get_errno(), "the file system can't exchange two directories", str(one))


def sync(path: Path) -> None:
    """Write the whole file system of `path` to its disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        _libc.syncfs(handle)
    finally:
        os.close(handle)


def used(path: Path) -> int:
    """Count the bytes that a tree takes on its disk; files that vanish meanwhile are left out."""
    seen: set[int] = set()
    total = 0
    for entry in _walk(path):
        try:
            info = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        if info.st_ino not in seen:
            total += info.st_blocks * 512
            seen.add(info.st_ino)
    return total


def give(path: Path, owner: int) -> None:
    """Give a tree to a uid (and its gid), the top last, which so tells that all was done. Follows no link."""
    for entry in _walk(path):
        os.chown(entry.path, owner, owner, follow_symlinks=False)
    os.chown(path, owner, owner)


def _walk(path: Path) -> Iterator["os.DirEntry[str]"]:
    try:
        with os.scandir(path) as entries:
            listed = list(entries)
    except FileNotFoundError:
        return
    for entry in listed:
        yield entry
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path))


class _Copier:
    def __init__(self, owner: int | None, *, writable: bool) -> None:
        self._owner, self._writable = owner, writable
        self._chown = os.getuid() == 0

    def directory(self, source: Path, target: Path) -> None:
        target.mkdir(0o700)
        with os.scandir(source) as entries:
            for entry in entries:
                self._entry(Path(entry.path), target / entry.name, entry.stat(follow_symlinks=False))
        self._finish(target, source.stat(), 0o200 if self._writable else 0)

    def _entry(self, source: Path, target: Path, info: os.stat_result) -> None:
        if stat.S_ISDIR(info.st_mode):
            self.directory(source, target)
        elif stat.S_ISLNK(info.st_mode):
            target.symlink_to(source.readlink())
            self._own(target, info)
        elif stat.S_ISREG(info.st_mode):
            if not clone_file(source, target):
                shutil.copyfile(source, target)
            self._finish(target, info)

    def _finish(self, path: Path, info: os.stat_result, extra: int = 0) -> None:
        self._own(path, info)
        path.chmod(stat.S_IMODE(info.st_mode) | extra)
        os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))

    def _own(self, path: Path, info: os.stat_result) -> None:
        if self._chown:
            uid, gid = (info.st_uid, info.st_gid) if self._owner is None else (self._owner, self._owner)
            os.chown(path, uid, gid, follow_symlinks=False)
