"""Handles: our name for a thing of the cloud, and the cloud's id for it."""

import uuid

from instar.control.providers.base import Handle
from instar.wire.errors import ProviderError

PROVIDER, VERSION = "openstack", 1


def make(kind: str, thing_id: str, name: str, **more: str) -> Handle:
    """Make the handle of the thing called `name`."""
    return {"provider": PROVIDER, "v": VERSION, "kind": kind, "id": thing_id, "name": name, **more}


def id_of(handle: Handle, kind: str) -> str:
    """Read the cloud's id out of a handle. Raises ProviderError when it is not one of ours."""
    seen = {part: handle.get(part) for part in ("provider", "v", "kind", "id")}
    ours = {"provider": PROVIDER, "v": VERSION, "kind": kind, "id": seen["id"]}
    if seen != ours or not is_id(seen["id"]):
        raise ProviderError(f"This is no handle of an openstack {kind}", seen=str(seen))
    return str(seen["id"])


def is_id(text: object) -> bool:
    """Tell whether this can be an id of the cloud's: it goes into addresses."""
    try:
        return isinstance(text, str) and str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
