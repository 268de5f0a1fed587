"""What is particular to each datastore manager, as data."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from instar.control.catalog import numbers
from instar.control.catalog.dialects import Dialect
from instar.wire.plans import Method


@dataclass(frozen=True)
class Manager:
    """A datastore manager: its port, how many major releases one upgrade may cross (None: any), and how many
    leading numbers of a version name the format of its data files (None: all of them).

    `methods` are the ways in which data files can cross to another format, the usual one first; `dialect` is
    how values of the configuration are written; `sorts_by_libraries` says whether another operating system
    may order the text in indexes otherwise; `logs` names those that its server can write.
    """

    port: int | None = None
    furthest: int | None = None
    format_numbers: int | None = None
    methods: tuple[Method, ...] = ("in place",)
    dialect: Dialect = "postgresql"
    sorts_by_libraries: bool = False
    logs: tuple[str, ...] = ()

    def format_of(self, version: str) -> str:
        """Name the format that a version's data files have: releases with the same name can share them."""
        return ".".join(str(number) for number in numbers.parse(version)[: self.format_numbers])


_UNKNOWN = Manager(furthest=1, methods=("in place", "link", "clone", "copy"), sorts_by_libraries=True)


def find(name: str) -> Manager:
    """Give what is known of a manager; one of a third party gets the careful defaults."""
    return _table().get(name, _UNKNOWN)


@cache
def _table() -> dict[str, Manager]:
    text = resources.files(__package__).joinpath("data/managers.toml").read_text("utf-8")
    return {name: _manager(facts) for name, facts in tomllib.loads(text).items()}


def _manager(facts: dict[str, Any]) -> Manager:
    listed = {name: tuple(value) for name, value in facts.items() if isinstance(value, list)}
    return Manager(**{**facts, **listed})
