"""Files that hold secrets: readable by their owner alone, whole or not there."""

import contextlib
import os
import tempfile
from pathlib import Path


def write_private(path: Path, text: str, *, replace: bool = False) -> None:
    """Put a file (mode 0600) in place whole, on disk; one that is there already stays unless `replace`.

    Of two programs that write at once, one wins, and both find the same file.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    partial = Path(name)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if replace:
        partial.rename(path)
        return
    with contextlib.suppress(FileExistsError):
        path.hardlink_to(partial)
    partial.unlink()
