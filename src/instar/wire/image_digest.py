"""What an image's digest stands for: the one who builds an image and the one who unpacks it have to agree."""

import hashlib
import os
import stat
from pathlib import Path


def image_digest(root: Path) -> str:
    """Give `sha256:<hex>` over the paths, kinds, modes, link targets and contents of a tree."""
    whole = hashlib.sha256()
    for path in sorted(root.rglob("*"), key=lambda path: os.fsencode(path.relative_to(root))):
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
