"""Option files, as the server reads them: which line sets what, and what another version would refuse."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

_DEEPEST = 10
"""How deep the server follows includes."""
_INCLUDE = re.compile(r"!(include|includedir)\s+(\S.*)")
_MODIFIERS = ("skip_", "disable_", "enable_", "maximum_", "autoset_")
"""What may stand before an option's name and changes what is done with its value."""
_NO_VARIABLES = frozenset(
    (
        *("ansi", "binlog_do_db", "binlog_ignore_db", "bootstrap", "chroot", "console", "debug"),
        *("help", "init_file", "language", "memlock", "plugin_load", "plugin_load_add"),
        *("replicate_do_db", "replicate_do_table", "replicate_ignore_db"),
        *("replicate_ignore_table", "replicate_rewrite_db", "replicate_wild_do_table"),
        *("replicate_wild_ignore_table", "safe_mode", "skip_host_cache", "symbolic_links"),
        *("user", "verbose"),
    )
)
"""Options of every version that no list of variables holds."""


@dataclass(frozen=True)
class Option:
    """One option of a file; `name` in lower case, with `_` for `-`, without `loose_`."""

    name: str
    value: str | None
    path: Path
    line: int
    group: str
    loose: bool = False

    @property
    def place(self) -> str:
        """Where it stands, for people."""
        return f"{self.path}:{self.line}"


def read(main: Path, groups: Collection[str]) -> list[Option]:
    """Read the options of these groups in the order in which the server heeds them: the last one counts.

    Files that can't be read are passed over, as the server does.
    """
    return [option for option in _read(main, _DEEPEST) if option.group in groups]


def everything(main: Path) -> list[Option]:
    """Read the options of all groups, those that no server reads included."""
    return list(_read(main, _DEEPEST))


def knows(known: Collection[str], name: str) -> bool:
    """Tell whether a version that knows these variables takes an option of this name.

    Like the server: with a modifier before it, and cut short where only one name begins so.
    """
    names = [name, *(name.removeprefix(each) for each in _MODIFIERS if name.startswith(each))]
    return any(each in known or each in _NO_VARIABLES for each in names) or any(
        sum(other.startswith(each) for other in known) == 1 for each in names
    )


def unknown(options: Collection[Option], known: Collection[str]) -> list[Option]:
    """Give the options that a version with these variables refuses; nothing is known of a version without."""
    plain = {spelt(name) for name in known}
    return [each for each in options if not each.loose and not knows(plain, each.name)] if plain else []


def spelt(name: str) -> str:
    """Spell an option's name in the one way that is used here."""
    return name.strip().lower().replace("-", "_")


def _read(path: Path, depth: int) -> Iterator[Option]:
    try:
        lines = path.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return
    group = ""
    for number, line in enumerate(map(str.strip, lines), 1):
        if found := _INCLUDE.fullmatch(line):
            yield from _included(found[1], found[2], depth - 1)
        elif line.startswith("["):
            group = line[1:].split("]")[0].strip()
        elif line and line[0] not in "#;!":
            yield _option(line, path, number, group)


def _included(what: str, place: str, depth: int) -> Iterator[Option]:
    path = Path(place)
    files = sorted(path.glob("*.cnf")) if what == "includedir" else [path]
    for each in files if depth else ():
        yield from _read(each, depth)


def _option(line: str, path: Path, number: int, group: str) -> Option:
    name, equals, value = (part.strip() for part in _without_comment(line).partition("="))
    name = spelt(name)
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    plain = name.removeprefix("loose_")
    return Option(plain, value if equals else None, path, number, group, loose=plain != name)


def _without_comment(line: str) -> str:
    """Cut a line at the first `#` that is not within quotes."""
    quote = before = ""
    for position, letter in enumerate(line):
        if letter in "'\"" and before != "\\" and quote in ("", letter):
            quote = "" if quote else letter
        elif letter == "#" and not quote:
            return line[:position]
        before = letter
    return line
