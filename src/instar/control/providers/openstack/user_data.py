"""User data: the files that a server is given, as cloud-init reads them; JSON is YAML."""

import base64
import json
from pathlib import PurePosixPath

from instar.control.providers.base import Image
from instar.wire.agent import IMAGE_MANIFEST
from instar.wire.errors import BadRequest, ProviderError

ROOM = 65535
"""Bytes of user data that Nova takes, in base64."""


def make(image: Image, files: dict[str, str]) -> str:
    """Pack a server's own files, and what its image is. Raises BadRequest for a path outside the root."""
    check_files(files)
    manifest = image.manifest.model_dump_json(exclude={"built_from"}, exclude_defaults=True)
    contents = {IMAGE_MANIFEST: manifest, **files}
    written = [
        {"path": f"/{PurePosixPath(name)}", "content": text, "permissions": "0600"}
        for name, text in contents.items()
    ]
    document = f"#cloud-config\n{json.dumps({'write_files': written})}\n"
    packed = base64.b64encode(document.encode()).decode()
    if len(packed) > ROOM:
        raise ProviderError(
            "The files of a server are too large for user data",
            seen=f"{len(packed)} bytes in base64, and Nova takes {ROOM}",
        )
    return packed


def check_files(files: dict[str, str]) -> None:
    """Raise BadRequest unless every file to be injected is named by a path below the root."""
    for name in files:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise BadRequest(f"files: {name!r} is no path below the server's root")
