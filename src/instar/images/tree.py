"""An image's tree: folders copied in, sealed, and known by the digest of what it holds."""

import hashlib
import os
import shutil
import stat
from pathlib import Path

_LEFT_OUT = shutil.ignore_patterns(
    # for compiling against the engine, not for running it
    "include", "pgxs", "pkgconfig", "*.a", "*.la", "*.pc", "*.h", "ecpg", "libecpg*", "pg_config",
    # for people who read, and for package managers
    "man", "html", "RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "__pycache__",
    "*.pyi", "*.pyx", "*.pxd", "test", "tests",
)  # fmt: skip
_ALWAYS = ("etc/instar", "run", "tmp", "usr/bin", "var/lib/instar", "var/log")


def begin(root: Path) -> None:
    """Make a bare tree with the folders that every guest has."""
    for folder in _ALWAYS:
        (root / folder).mkdir(parents=True)


def add(source: Path, target: Path) -> None:
    """Copy a folder into the tree without what a guest has no use for."""
    shutil.copytree(source, target, symlinks=True, ignore=_LEFT_OUT, dirs_exist_ok=True)


def seal(root: Path) -> None:
    """Give everything the mode it has in guests: all may read, and only what is in etc/ may be written to."""
    for path in _walk(root):
        if path.is_symlink():
            continue
        if path.is_dir() or path.is_relative_to(root / "etc"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        else:
            path.chmod(0o555 if path.stat().st_mode & stat.S_IXUSR else 0o444)


def digest(root: Path) -> str:
    """Give `sha256:<hex>` over the paths, kinds, modes, link targets and contents of a tree."""
    whole = hashlib.sha256()
    for path in _walk(root):
        kind, content = _describe(path)
        name = os.fsencode(path.relative_to(root))
        whole.update(b"%s %04o %s\0%s\n" % (kind, stat.S_IMODE(path.lstat().st_mode), name, content))
    return f"sha256:{whole.hexdigest()}"


def _describe(path: Path) -> tuple[bytes, bytes]:
    if path.is_symlink():
        return b"link", os.fsencode(path.readlink())
    if path.is_dir():
        return b"folder", b""
    with path.open("rb") as file:
        return b"file", hashlib.file_digest(file, "sha256").hexdigest().encode()


def _walk(root: Path) -> list[Path]:
    return sorted(root.rglob("*"), key=lambda path: os.fsencode(path.relative_to(root)))
