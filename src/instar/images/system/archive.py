"""A system's files as one tar that is the same to the byte whenever they are the same."""

import hashlib
import subprocess
import tempfile
from pathlib import Path

from instar.images.errors import BuildError

EPOCH = 1767225600
"""Time of every file, in seconds since 1970: the first of January 2026."""

_EMPTY = ("dev", "proc", "sys", "run", "tmp")
"""Folders that a machine fills when it boots."""

_SAME = ("--sort=name", "--format=gnu", "--numeric-owner", f"--mtime=@{EPOCH}")
_PART = 2**20


def pack(root: Path, target: Path) -> str:
    """Write a system's files, sorted and of one time, into a tar; gives `sha256:<hex>` of its bytes."""
    empty = [f"--exclude=./{folder}/*" for folder in _EMPTY]
    whole = hashlib.sha256()
    with (
        target.open("wb") as file,
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            ["tar", "--create", "--directory", root, *_SAME, *empty, "."], stdout=subprocess.PIPE, stderr=said
        ) as packing,
    ):
        while part := packing.stdout.read(_PART) if packing.stdout else b"":
            whole.update(part)
            file.write(part)
        if packing.wait() != 0:
            said.seek(0)
            seen = said.read().decode("utf-8", "replace").strip()[-500:]
            raise BuildError("The system could not be packed", seen=seen, remedy="Mend that and build again.")
    return f"sha256:{whole.hexdigest()}"


def unpack(archive: Path, root: Path) -> None:
    """Lay out what was packed in a new folder. Raises BuildError."""
    root.mkdir()
    done = subprocess.run(
        ["tar", "--extract", "--file", archive, "--directory", root, "--numeric-owner", "--same-permissions"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BuildError(
            "The system could not be unpacked",
            seen=done.stderr.strip()[-500:],
            remedy="Free some space, or make the system again with --fresh.",
        )
