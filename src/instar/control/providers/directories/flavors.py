"""The catalogue of sizes, from a TOML file."""

import tomllib
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from instar.control.providers.base import FlavorSpec
from instar.wire.errors import ProviderError

SHIPPED = Path(__file__).with_name("flavors.toml")


def load(path: Path | None = None) -> list[FlavorSpec]:
    """Read a catalogue, the shipped one by default. Raises ProviderError naming the file and its fault."""
    path = path or SHIPPED
    try:
        entries = tomllib.loads(path.read_text()).get("flavor", [])
        return TypeAdapter(list[FlavorSpec]).validate_python(entries)
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise ProviderError(
            f"The flavor catalogue {path} can't be used",
            seen=str(error),
            remedy="give each [[flavor]] an id, a name, ram (MiB) and vcpus",
        ) from error
