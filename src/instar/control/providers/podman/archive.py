"""Archives of files, as the engine takes them: what is put onto a server's root disk."""

import io
import tarfile
from collections.abc import Iterable
from pathlib import PurePosixPath


def folders(own: Iterable[str], public: Iterable[str], owner: int) -> bytes:
    """Pack folders: the `own` are given to `owner`, the `public` to everybody, also where they exist."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        for path in sorted(own):
            _add_folder(archive, path, owner)
        for path in public:
            _add_folder(archive, path, 0, 0o1777)
    return output.getvalue()


def files(contents: dict[str, str], writable: Iterable[str], owner: int) -> bytes:
    """Pack files that only `owner` can read, and the folders on their way that lie below `writable` ones."""
    output = io.BytesIO()
    tops = set(writable)
    with tarfile.open(fileobj=output, mode="w") as archive:
        for path in _ways(contents, tops):
            _add_folder(archive, path, owner)
        for name, text in contents.items():
            _add_file(archive, str(PurePosixPath(name)), text.encode(), 0o600, owner)
    return output.getvalue()


def system_file(path: str, content: bytes) -> bytes:
    """Pack one file that belongs to root and that everybody can read."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        _add_file(archive, path, content, 0o644, 0)
    return output.getvalue()


def content(packed: bytes) -> bytes:
    """Unpack the one file of an archive."""
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        member = archive.extractfile(archive.getmembers()[0])
        return member.read() if member else b""


def _ways(names: Iterable[str], tops: set[str]) -> list[str]:
    parents = {str(parent) for name in names for parent in PurePosixPath(name).parents}
    below = {way for way in parents if any(way == top or way.startswith(f"{top}/") for top in tops)}
    return sorted(below)


def _add_folder(archive: tarfile.TarFile, path: str, owner: int, mode: int = 0o755) -> None:
    entry = tarfile.TarInfo(path)
    entry.type, entry.mode, entry.uid, entry.gid = tarfile.DIRTYPE, mode, owner, owner
    archive.addfile(entry)


def _add_file(archive: tarfile.TarFile, path: str, data: bytes, mode: int, owner: int) -> None:
    entry = tarfile.TarInfo(path)
    entry.size, entry.mode, entry.uid, entry.gid = len(data), mode, owner, owner
    archive.addfile(entry, io.BytesIO(data))
