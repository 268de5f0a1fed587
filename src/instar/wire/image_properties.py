"""An image's manifest and settings as properties of text: publisher and provider agree on them here.

    instar_manifest             the Manifest as JSON, for people to read as well
    instar_parameters           JSON list of every Parameter, gzip, base64; missing when the image tells none
    instar_parameters_1, _2     what goes on where one value's room ended

Glance keeps 64 KiB a value. The image's digest is not written: the cloud's image id takes its place.
"""

import base64
import gzip
import json
import zlib
from collections.abc import Iterable, Mapping

from pydantic import TypeAdapter

from instar.wire.agent import Manifest, Parameter

MANIFEST, PARAMETERS = "instar_manifest", "instar_parameters"
ROOM = 60_000
"""Characters that are put into one value."""
_PARAMETERS = TypeAdapter(list[Parameter])


def to_properties(manifest: Manifest, parameters: Iterable[Parameter]) -> dict[str, str]:
    """Put a manifest and the settings that the image's engine knows into properties."""
    described = manifest.model_dump(exclude_defaults=True, exclude={"digest"})
    properties = _split(MANIFEST, json.dumps(described))
    if known := list(parameters):
        listed = json.dumps([each.model_dump(exclude_defaults=True) for each in known])
        packed = base64.b64encode(gzip.compress(listed.encode(), mtime=0)).decode()
        properties |= _split(PARAMETERS, packed)
    return properties


def from_properties(properties: Mapping[str, str], ref: str) -> tuple[Manifest, list[Parameter]] | None:
    """Read both back, `ref` as the manifest's digest; None for an image that carries no manifest.

    Raises ValueError, saying which property can't be read.
    """
    written = _join(MANIFEST, properties)
    if written is None:
        return None
    try:
        manifest = Manifest.model_validate(json.loads(written) | {"digest": ref})
    except (ValueError, TypeError) as error:
        raise ValueError(f"property {MANIFEST} is no manifest: {error}") from error
    return manifest, _read_parameters(_join(PARAMETERS, properties))


def _read_parameters(packed: str | None) -> list[Parameter]:
    if packed is None:
        return []
    try:
        return _PARAMETERS.validate_json(gzip.decompress(base64.b64decode(packed, validate=True)))
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise ValueError(f"property {PARAMETERS} is no list of settings: {error}") from error


def _split(name: str, value: str) -> dict[str, str]:
    parts = [value[start : start + ROOM] for start in range(0, len(value), ROOM)]
    return {_numbered(name, number): part for number, part in enumerate(parts)}


def _join(name: str, properties: Mapping[str, str]) -> str | None:
    parts: list[str] = []
    while (part := properties.get(_numbered(name, len(parts)))) is not None:
        parts.append(part)
    return "".join(parts) if parts else None


def _numbered(name: str, number: int) -> str:
    return f"{name}_{number}" if number else name
