"""Character sets and collations of databases, held against what an engine knows."""

import re
import tomllib
from collections.abc import Sequence
from functools import cache
from importlib import resources

from instar.control.catalog import managers
from instar.wire import rest
from instar.wire.errors import BadRequest

_COLLATION = re.compile(r"[0-9A-Za-z_.@-]{1,64}")
_OF_ANY_SET = ("uca1400_",)
"""How the names begin of MariaDB's collations that go with several character sets."""


def check(manager: str, databases: Sequence[rest.NewDatabase], field: str) -> None:
    """Raise BadRequest, naming the field, for a character set or a collation that the engine can't know.

    Whether a collation is there may depend on the image: the guest has the last word.
    """
    for number, database in enumerate(databases):
        _check_set(manager, database.character_set, f"{field}.{number}.character_set")
        _check_collation(manager, database, f"{field}.{number}.collate")


def _check_set(manager: str, name: str | None, field: str) -> None:
    known = _known().get(manager)
    if name is not None and known and _plain(manager, name) not in known:
        raise BadRequest(f"{field}: there is no character set {name[:64]!r}", remedy=_remedy(manager))


def _check_collation(manager: str, database: rest.NewDatabase, field: str) -> None:
    collation, name = database.collate, database.character_set
    if collation is None:
        return
    if not _COLLATION.fullmatch(collation):
        raise BadRequest(f"{field}: is no name of a collation", seen=repr(collation[:64]))
    if managers.find(manager).dialect != "mysql" or collation.lower().startswith(_OF_ANY_SET):
        return
    sets = [name.lower()] if name else sorted(_known().get(manager, ()))
    if sets and collation.lower().partition("_")[0] not in {*sets, *(_TWIN[s] for s in sets if s in _TWIN)}:
        goes_with = f"character set {name}" if name else "any character set"
        raise BadRequest(
            f"{field}: {collation} does not go with {goes_with}",
            remedy="A collation's name begins with its character set's, as in utf8mb4_unicode_ci.",
        )


_TWIN = {"utf8": "utf8mb3", "utf8mb3": "utf8"}
"""Two names of one character set, as long as the server's old_mode says so."""


def _plain(manager: str, name: str) -> str:
    if managers.find(manager).dialect == "mysql":
        return name.lower()
    return "".join(letter for letter in name.lower() if letter.isascii() and letter.isalnum())


def _remedy(manager: str) -> str:
    usual = "utf8mb4" if managers.find(manager).dialect == "mysql" else "UTF8"
    return f"Leave it out, or use one that the engine knows, such as {usual}."


@cache
def _known() -> dict[str, frozenset[str]]:
    text = resources.files(__package__).joinpath("data/character_sets.toml").read_text("utf-8")
    return {
        manager: frozenset(_plain(manager, name) for name in names)
        for manager, names in tomllib.loads(text).items()
    }
