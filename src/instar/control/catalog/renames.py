"""Which parameters an engine calls otherwise in a later release, as data."""

import tomllib
from functools import cache
from importlib import resources
from typing import Any

from instar.control.catalog import numbers


def between(manager: str, before: str, after: str) -> dict[str, str]:
    """Give old name -> new name of what was renamed between two version numbers; the other way round on the
    way down.
    """
    here, there = numbers.parse(before)[0], numbers.parse(after)[0]
    low, high = sorted((here, there))
    crossed = [each for each in _table().get(manager, []) if low < each["since"] <= high]
    up = {each["old"]: each["new"] for each in crossed}
    return up if here <= there else {new: old for old, new in up.items()}


@cache
def _table() -> dict[str, list[dict[str, Any]]]:
    return tomllib.loads(resources.files(__package__).joinpath("data/renames.toml").read_text("utf-8"))
