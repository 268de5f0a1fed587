"""Option files below `/etc/mysql`, on the root disk: which are Instar's, and how they are kept.

The administrator's files stay as they are. Of Instar's two, `05-instar-defaults.cnf` follows from the
server's size and gives way to the administrator's files; `99-instar.cnf` holds the values that users asked
for. What makes up the instance's identity (address, port, socket, directories) is given on the command line,
above all. A file is replaced by another one of its name, since it may be root's in a directory that is ours.
"""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from instar.agent import durable
from instar.agent.datastores.mysql_family.dialect import Dialect
from instar.agent.datastores.mysql_family.layout import Layout
from instar.wire.errors import BadRequest

DEFAULTS = "05-instar-defaults.cnf"
"""Generated from what the server is."""
OURS = "99-instar.cnf"
"""The values that users set through Instar."""
SAVED = "saved"
"""Where all of it is kept on the volume while the instance is between two images."""

_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_SET = re.compile(rf"^({_PARAMETER.pattern}) = (.*)$", re.MULTILINE)
_PLAIN = re.compile(r"[A-Za-z0-9_.,:/+@%*()-]+")


def defaults(ram: int | None) -> str:
    """Give the generated defaults for a server with `ram` MiB: half of it is for the buffer pool."""
    pool = 128 if ram is None else max(16, ram // 2 if ram >= 1024 else ram // 4)
    return f"""\
# Managed by Instar: written anew whenever the server starts. Other files go above this one.
[mysqld]
innodb_buffer_pool_size = {pool}M
character_set_server = utf8mb4
"""


def normal(name: str) -> str:
    """Spell an option as the variable of that name."""
    return name.replace("-", "_").lower()


def values(configuration: Mapping[str, Any]) -> str:
    """Spell users' values as an option file. Raises BadRequest naming the parameter."""
    lines = [f"{_checked(name)} = {spelt(name, value)}" for name, value in sorted(configuration.items())]
    return "\n".join(["# Managed by Instar: values set through its API.", "[mysqld]", *lines, ""])


def ours(layout: Layout, dialect: Dialect) -> Path:
    """Give the file of users' values."""
    return layout.configuration / dialect.own_folder / OURS


def names(folder: Path, dialect: Dialect) -> set[str]:
    """Name the parameters that users have set through Instar, by a folder in use or a saved one."""
    return set(_set_in(folder / dialect.own_folder / OURS))


def note_start(layout: Layout, dialect: Dialect) -> None:
    """Remember what users have set as the server starts: what differs from it later waits for a restart."""
    path = ours(layout, dialect)
    put(layout.run() / OURS, path.read_text("utf-8") if path.is_file() else "")


def changed_since_start(layout: Layout, dialect: Dialect) -> set[str]:
    """Name the parameters that users have set, or set no more, since the server was started."""
    now, then = _set_in(ours(layout, dialect)), _set_in(layout.run() / OURS)
    return {name for name in now.keys() | then.keys() if now.get(name) != then.get(name)}


def differs(layout: Layout, dialect: Dialect, configuration: Mapping[str, Any] | None) -> bool:
    """Tell whether users' values are others than those in place; None means those. Raises BadRequest."""
    path = ours(layout, dialect)
    return configuration is not None and not (
        path.is_file() and path.read_text("utf-8") == values(configuration)
    )


def replace(layout: Layout, dialect: Dialect, configuration: Mapping[str, Any] | None) -> None:
    """Put users' values in place of those before; None keeps them. Repeatable. Raises BadRequest."""
    if configuration is not None:
        put(ours(layout, dialect), values(configuration))


def write_defaults(layout: Layout, dialect: Dialect, ram: int | None) -> None:
    """Write what follows from the server's size, and the main file where there is none. Repeatable."""
    folder = layout.configuration
    put(folder / dialect.own_folder / DEFAULTS, defaults(ram))
    if not (folder / dialect.main_file).exists():
        put(folder / dialect.main_file, f"!includedir {folder / dialect.own_folder}/\n")


def put(path: Path, text: str) -> None:
    """Put a file in place, unless it is there already."""
    if not (path.is_file() and path.read_text("utf-8", "surrogateescape") == text):
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        durable.write(path, text)


def copy_in(source: Path, target: Path) -> None:
    """Put a copy of a file in place, with its mode. Repeatable."""
    beside = target.with_name(f"{target.name}.tmp")
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    beside.unlink(missing_ok=True)
    shutil.copy(source, beside)
    durable.rename(beside, target)


def save(layout: Layout, dialect: Dialect, target: Path) -> None:
    """Copy all option files but the generated one. Repeatable; replaces what an earlier one saved, unless
    that is the same.
    """
    found = files(layout.configuration, dialect)
    if target.is_dir() and _contents(target, files(target, dialect)) == _contents(
        layout.configuration, found
    ):
        return
    beside = target.with_name(f"{target.name}.tmp")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(mode=0o700, parents=True)
    for path in layout.configuration.rglob("*/"):
        (beside / path.relative_to(layout.configuration)).mkdir()  # the server insists on what it includes
    for path in found:
        copy_in(path, beside / path.relative_to(layout.configuration))
    shutil.rmtree(target, ignore_errors=True)
    durable.rename(beside, target)


def files(folder: Path, dialect: Dialect) -> list[Path]:
    """Name the files below a folder but the generated one, sorted; links to files count as what they show."""
    generated = folder / dialect.own_folder / DEFAULTS
    return sorted(path for path in folder.rglob("*") if path.is_file() and path != generated)


def spelt(name: str, value: Any) -> str:
    """Spell a value for an option file. Raises BadRequest naming the parameter."""
    if isinstance(value, bool):
        return "ON" if value else "OFF"
    if not isinstance(value, str | int | float):
        raise BadRequest(f"configuration.{name} must be text, a number, true or false")
    text = str(value)
    if any(ord(letter) < 32 for letter in text):
        raise BadRequest(f"configuration.{name} must not hold control characters")
    if '"' in text and "#" in text:
        raise BadRequest(f'configuration.{name} must not hold both " and #')
    return text if _PLAIN.fullmatch(text) else '"{}"'.format(text.replace("\\", "\\\\"))


def _set_in(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    return {normal(name): value for name, value in _SET.findall(path.read_text("utf-8"))}


def _contents(folder: Path, found: list[Path]) -> dict[Path, tuple[int, bytes]]:
    return {path.relative_to(folder): (path.stat().st_mode, path.read_bytes()) for path in found}


def _checked(name: str) -> str:
    if not _PARAMETER.fullmatch(name):
        raise BadRequest(f"configuration: {name!r} is not the name of a parameter")
    return name
