"""Configuration files of the data directory, and how they cross to a new one.

`postgresql.conf` is the administrator's and includes two files: `instar_defaults.conf`, generated from what
the server is, and `instar.conf`, the values that users asked for. ALTER SYSTEM's file is left to users. What
makes up the instance's identity (address, port, sockets) is given on the server's command line, above all.
"""

import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from instar.agent import durable
from instar.wire.errors import BadRequest

MAIN = """\
# Read first: what Instar derives from the server's size, and the values set through Instar's API.
include_if_exists = 'instar_defaults.conf'
include_if_exists = 'instar.conf'
"""

SAVED = "saved"
"""Where it is kept on the volume while the instance is between two images."""
OURS = "instar.conf"
"""The values that users set through Instar."""
GENERATED = ("instar_defaults.conf", "pg_hba.conf")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)?")
_SET = re.compile(rf"^\s*({_PARAMETER.pattern})\s*(?:=|\s)", re.MULTILINE)
_DIRECTIVES = ("include", "include_dir", "include_if_exists")


def defaults(ram: int | None) -> str:
    """Give the generated defaults for a server with `ram` MiB: a quarter of it is for shared buffers."""
    buffers = 128 if ram is None else max(32, ram // 4)
    return f"""\
# Managed by Instar: written anew whenever the server starts.
shared_buffers = '{buffers}MB'
effective_cache_size = '{3 * buffers}MB'
max_wal_size = '{max(128, min(1024, 4 * buffers))}MB'
lc_messages = 'C'
"""


def values(configuration: Mapping[str, Any]) -> str:
    """Spell users' values as a configuration file. Raises BadRequest naming the parameter."""
    lines = [f"{_checked(name)} = '{_spelt(name, value)}'" for name, value in sorted(configuration.items())]
    return "\n".join(["# Managed by Instar: values set through its API.", *lines, ""])


def names(data: Path) -> set[str]:
    """Name the parameters that users have set through Instar, by a data directory's file or a saved one."""
    path = data / OURS
    return {found[1].lower() for found in _SET.finditer(path.read_text("utf-8"))} if path.is_file() else set()


def changing(data: Path, configuration: Mapping[str, Any] | None) -> set[str]:
    """Name the parameters that may differ when users' values are put in place of those before."""
    return set() if configuration is None else names(data) | {name.lower() for name in configuration}


def differs(data: Path, configuration: Mapping[str, Any] | None) -> bool:
    """Tell whether users' values are others than those in place; None means those. Raises BadRequest."""
    path = data / OURS
    return configuration is not None and not (
        path.is_file() and path.read_text("utf-8") == values(configuration)
    )


def replace(data: Path, configuration: Mapping[str, Any] | None) -> None:
    """Put users' values in place of those before; None keeps them. Repeatable. Raises BadRequest."""
    if configuration is not None:
        durable.write(data / OURS, values(configuration))


def write(data: Path, configuration: Mapping[str, Any]) -> None:
    """Put a new data directory's configuration in place of initdb's."""
    replace(data, configuration)
    durable.write(data / "postgresql.conf", MAIN)


def save(data: Path, target: Path) -> None:
    """Copy the configuration out of a data directory. Repeatable; replaces what an earlier one saved,
    unless that is the same.
    """
    if target.is_dir() and _texts(target) == _texts(data):
        return
    beside = target.with_name(f"{target.name}.tmp")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    for source in _files(data):
        _copy(source, beside / source.relative_to(data))
    shutil.rmtree(target, ignore_errors=True)
    durable.rename(beside, target)


def restore(saved: Path, data: Path) -> None:
    """Copy saved files that are not generated into a data directory, over those that it has. Repeatable."""
    for source in _files(saved):
        _copy(source, data / source.relative_to(saved))


def restore_missing(saved: Path, data: Path) -> None:
    """Copy saved files that a data directory has lost. Repeatable."""
    for source in _files(saved):
        target = data / source.relative_to(saved)
        if not target.exists():
            _copy(source, target)


def _files(directory: Path) -> Iterable[Path]:
    found = (*directory.glob("*.conf"), *directory.glob("conf.d/*.conf"))
    return [path for path in found if path.is_file() and not path.is_symlink() and path.name not in GENERATED]


def _texts(directory: Path) -> dict[Path, bytes]:
    return {path.relative_to(directory): path.read_bytes() for path in _files(directory)}


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(mode=0o700, exist_ok=True)
    durable.write(target, source.read_text("utf-8", "surrogateescape"))


def _checked(name: str) -> str:
    if not _PARAMETER.fullmatch(name) or name.lower() in _DIRECTIVES:
        raise BadRequest(f"configuration: {name!r} is not the name of a parameter")
    return name


def _spelt(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if not isinstance(value, str | int | float):
        raise BadRequest(f"configuration.{name} must be text, a number, true or false")
    if isinstance(value, str) and any(ord(letter) < 32 for letter in value):
        raise BadRequest(f"configuration.{name} must not hold control characters")
    return str(value).replace("\\", "\\\\").replace("'", "''")
