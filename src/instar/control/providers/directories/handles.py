"""Handles of what lies in directories, and the directory names that follow from our names."""

import re
import uuid

from instar.control.providers.base import Handle
from instar.wire.errors import ProviderError
from instar.wire.ids import is_id

VERSION = 1
_NAMESPACE = uuid.UUID("5d1a6c6e-5a5e-4c0e-9f0e-0f6f1f1d2a10")
_KEY = re.compile(r"[0-9a-f]{12}")


def identify(name: str) -> str:
    """Derive the id of the thing called `name`: the name itself when it is an id."""
    return name.lower() if is_id(name) else str(uuid.uuid5(_NAMESPACE, name))


def key_of(name: str) -> str:
    """Derive a directory name from a name: brief, since the path of a Unix socket has to fit in 107 bytes."""
    return uuid.uuid5(_NAMESPACE, name).hex[:12]


class Handles:
    """The handles of one provider."""

    def __init__(self, provider: str) -> None:
        self._provider = provider

    def make(self, kind: str, name: str, **more: str) -> Handle:
        """Make the handle of the thing called `name`."""
        return {
            "provider": self._provider,
            "v": VERSION,
            "kind": kind,
            "id": identify(name),
            "key": key_of(name),
            "name": name,
            **more,
        }

    def key(self, handle: Handle, kind: str) -> str:
        """Read the directory name out of a handle. Raises ProviderError when it is not one of ours."""
        seen = {part: handle.get(part) for part in ("provider", "v", "kind", "key")}
        ours = {"provider": self._provider, "v": VERSION, "kind": kind, "key": seen["key"]}
        if seen != ours or not _KEY.fullmatch(str(seen["key"])):
            raise ProviderError(f"This is no handle of a {self._provider} {kind}", seen=str(seen))
        return str(seen["key"])

    def volume_of(self, snapshot: Handle) -> str:
        """Read the key of a snapshot's volume out of its handle. Raises ProviderError when it is not ours."""
        return self.key(snapshot | {"kind": "volume", "key": snapshot.get("volume")}, "volume")
