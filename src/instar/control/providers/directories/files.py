"""Files that are injected into a server's root disk."""

from pathlib import PurePosixPath

from instar.wire.errors import BadRequest


def check_files(files: dict[str, str]) -> None:
    """Raise BadRequest unless every file to be injected is named by a path below the root."""
    for name in files:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise BadRequest(f"files: {name!r} is no path below the server's root")
