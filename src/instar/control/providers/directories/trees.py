"""Copying and measuring directory trees, by reference where the file system can, and exchanging them.

A guest may own a tree and change it meanwhile. Every name is therefore looked up in its opened directory,
without following links, and what is read or given away is what was opened.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
SOURCE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
TARGET = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
DEEPEST = 100
"""Directories below each other that are followed; each takes up an open file while it is."""

_FICLONE = 0x40049409
_AT_FDCWD, _AT_EMPTY_PATH, _RENAME_EXCHANGE = -100, 0x1000, 2
_UNABLE = {errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS}
_MOVED = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
_CHUNK = 64 << 20
"""Bytes copied at a time; a larger file is written to the disk as it goes, so that no long wait is left."""
_libc = ctypes.CDLL(None, use_errno=True)


def copy(source: Path, target: Path, report: Callable[[int], None] = lambda moved: None) -> None:
    """Copy a tree to `target`, which must not exist: files, modes, times, links, and owners when we are root.

    Holes stay holes, and several names of a file stay that. Sockets and pipes are left out. When it returns,
    the copy is on the disk. `report` is told the bytes of each part that was copied, and may raise to have it
    stopped.
    """
    _Copier(None, writable=False, report=report).tree(source, target)


def unpack(source: Path, target: Path, owner: int | None) -> None:
    """Copy a tree as `copy` does, with all of it given to the uid `owner`, which can write to directories."""
    _Copier(owner, writable=True).tree(source, target)


def clones(directory: Path) -> bool:
    """Find out, by trying, whether the file system at `directory` copies files by reference."""
    with tempfile.TemporaryDirectory(dir=directory, prefix=".probe-") as probe:
        source, target = Path(probe, "source"), Path(probe, "target")
        source.write_bytes(b"x" * 4096)
        with source.open("rb") as reading, target.open("wb") as writing:
            return _clone(reading.fileno(), writing.fileno())


def exchange(one: Path, other: Path) -> None:
    """Swap two directories in one step. Raises OSError where the file system can't."""
    if _libc.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE):
        raise OSError(ctypes.get_errno(), "the file system can't exchange two directories", str(one))


def used(path: Path) -> int:
    """Count the bytes that a tree takes on its disk; files that vanish meanwhile are left out."""
    seen: set[int] = set()
    total = 0
    with contextlib.suppress(FileNotFoundError), opened(path) as top:
        for _, _, info in _walk(top):
            if info.st_ino not in seen:
                total += info.st_blocks * 512
                seen.add(info.st_ino)
    return total


def give(path: Path, owner: int) -> None:
    """Give what belongs to a tree's owner to a uid (and its gid); the top last, which tells that it was done.

    What somebody else owns stays theirs: a guest can have made a link to it.
    """
    with opened(path) as top:
        before = os.fstat(top).st_uid
        for directory, name, _ in _walk(top):
            with (
                contextlib.suppress(FileNotFoundError),
                opened(name, directory, os.O_PATH | os.O_NOFOLLOW) as entry,
            ):
                if os.fstat(entry).st_uid == before:
                    _give(entry, owner)
        os.fchown(top, owner, owner)


@contextlib.contextmanager
def opened(path: str | Path, directory: int | None = None, flags: int = DIRECTORY) -> Iterator[int]:
    """Open a directory, or what `flags` say, in an open one; follows no link."""
    handle = os.open(path, flags, 0o600, dir_fd=directory)
    try:
        yield handle
    finally:
        os.close(handle)


def _give(entry: int, owner: int) -> None:
    if _libc.fchownat(entry, b"", owner, owner, _AT_EMPTY_PATH):
        raise OSError(ctypes.get_errno(), "a file could not be given to its server's user")


def _walk(directory: int, depth: int = 1) -> Iterator[tuple[int, str, os.stat_result]]:
    """Give each entry with its opened directory; what is no longer there when its turn comes is left out."""
    _check_depth(depth)
    for name in os.listdir(directory):
        try:
            info = os.stat(name, dir_fd=directory, follow_symlinks=False)
            yield directory, name, info
            if stat.S_ISDIR(info.st_mode):
                with opened(name, directory) as inner:
                    yield from _walk(inner, depth + 1)
        except OSError as error:
            if error.errno not in _MOVED:
                raise


def _check_depth(depth: int) -> None:
    if depth > DEEPEST:
        raise OSError(errno.ENAMETOOLONG, f"more than {DEEPEST} directories lie below each other")


def _clone(reading: int, writing: int) -> bool:
    """Make a file a copy of another by reference; False, with nothing in it, where that is impossible."""
    try:
        fcntl.ioctl(writing, _FICLONE, reading)
    except OSError as error:
        if error.errno in _UNABLE:
            return False
        raise
    return True


def _next_data(file: int, start: int) -> int | None:
    """Find where a file's data go on, from `start`; None at their end."""
    try:
        return os.lseek(file, start, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return None
        raise


class _Copier:
    def __init__(
        self, owner: int | None, *, writable: bool, report: Callable[[int], None] = lambda moved: None
    ) -> None:
        self._owner, self._extra, self._report = owner, 0o200 if writable else 0, report
        self._chown = os.getuid() == 0
        self._linked: dict[tuple[int, int], str] = {}

    def tree(self, source: Path, target: Path) -> None:
        target.mkdir(0o700)
        with opened(source) as reading, opened(target) as writing:
            self._top = writing
            self._directory(reading, writing, [])
            if _libc.syncfs(writing):
                raise OSError(ctypes.get_errno(), "the copy could not be written to its disk", str(target))

    def _directory(self, source: int, target: int, way: list[str]) -> None:
        """Copy what is in an open directory; a guest can't enter the copy before all of it is there.

        `way` leads to it from the top.
        """
        _check_depth(len(way) + 1)
        for name in os.listdir(source):
            info = os.stat(name, dir_fd=source, follow_symlinks=False)
            if stat.S_ISDIR(info.st_mode):
                os.mkdir(name, 0o700, dir_fd=target)
                with opened(name, source) as reading, opened(name, target) as writing:
                    self._directory(reading, writing, [*way, name])
            elif stat.S_ISLNK(info.st_mode):
                os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
                if self._chown:
                    os.chown(name, *self._ids(info), dir_fd=target, follow_symlinks=False)
            elif stat.S_ISREG(info.st_mode):
                self._file_or_link(name, source, target, way)
        self._finish(target, os.fstat(source), self._extra)

    def _file_or_link(self, name: str, source: int, target: int, way: list[str]) -> None:
        """Copy a file, or link to its copy where that was made under another of its names."""
        with opened(name, source, SOURCE) as reading:
            info = os.fstat(reading)
            identity = (info.st_dev, info.st_ino)
            if known := self._linked.get(identity):
                os.link(known, name, src_dir_fd=self._top, dst_dir_fd=target, follow_symlinks=False)
                return
            self._file(name, reading, target)
            if info.st_nlink > 1:
                self._linked[identity] = "/".join([*way, name])

    def _file(self, name: str, reading: int, target: int) -> None:
        with opened(name, target, TARGET) as writing:
            if _clone(reading, writing):
                self._report(os.fstat(reading).st_size)
            else:
                self._pass_on(reading, writing)
            self._finish(writing, os.fstat(reading))

    def _pass_on(self, reading: int, writing: int) -> None:
        end = 0
        while (start := _next_data(reading, end)) is not None:
            end = os.lseek(reading, start, os.SEEK_HOLE)
            os.lseek(writing, start, os.SEEK_SET)
            self._stretch(reading, writing, start, end)
        os.ftruncate(writing, os.fstat(reading).st_size)

    def _stretch(self, reading: int, writing: int, start: int, end: int) -> None:
        while start < end and (moved := os.sendfile(writing, reading, start, min(_CHUNK, end - start))):
            start += moved
            if moved == _CHUNK:
                os.fdatasync(writing)
            self._report(moved)

    def _finish(self, target: int, info: os.stat_result, extra: int = 0) -> None:
        if self._chown:
            os.fchown(target, *self._ids(info))
        os.fchmod(target, stat.S_IMODE(info.st_mode) | extra)
        os.utime(target, ns=(info.st_atime_ns, info.st_mtime_ns))

    def _ids(self, info: os.stat_result) -> tuple[int, int]:
        return (info.st_uid, info.st_gid) if self._owner is None else (self._owner, self._owner)
