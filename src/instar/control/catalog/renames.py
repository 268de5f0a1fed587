"""Which parameters an engine calls otherwise in a later release, and which it has given up, as data."""

import tomllib
from collections.abc import Iterable
from functools import cache
from importlib import resources

from instar.control.catalog import numbers
from instar.control.catalog.dialects import key

Entry = dict[str, str]


def between(manager: str, before: str, after: str) -> dict[str, str]:
    """Give old name -> new name of what was renamed between two version numbers; the other way round on the
    way down.
    """
    renamed = [each for each in _crossed(manager, before, after) if "new" in each]
    up = {each["old"]: each["new"] for each in renamed}
    return up if _goes_up(before, after) else {new: old for old, new in up.items()}


def given_up(manager: str, before: str, after: str) -> dict[str, str]:
    """Give old name -> why, or what does its work now, of what was removed on the way up."""
    crossed = _crossed(manager, before, after) if _goes_up(before, after) else []
    return {key(each["old"]): each["why"] for each in crossed if "why" in each}


def understood(names: Iterable[str], manager: str, before: str, after: str) -> list[str]:
    """Give the names that a release knows, and those whose values reach it under another name."""
    known = list(names)
    moved = between(manager, before, after)
    return known + [old for old, new in moved.items() if new in known]


def _goes_up(before: str, after: str) -> bool:
    return numbers.parse(before) <= numbers.parse(after)


def _crossed(manager: str, before: str, after: str) -> list[Entry]:
    low, high = sorted((numbers.parse(before), numbers.parse(after)))
    return [each for each in _table().get(manager, []) if low < numbers.parse(each["since"]) <= high]


@cache
def _table() -> dict[str, list[Entry]]:
    return tomllib.loads(resources.files(__package__).joinpath("data/renames.toml").read_text("utf-8"))
