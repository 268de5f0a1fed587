"""What is particular to each datastore manager, as data."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class Manager:
    """A datastore manager: its port, and how many major releases one upgrade may cross (None: any)."""

    port: int | None = None
    furthest: int | None = None


_UNKNOWN = Manager(furthest=1)


def find(name: str) -> Manager:
    """Give what is known of a manager; one of a third party gets the careful defaults."""
    return _table().get(name, _UNKNOWN)


@cache
def _table() -> dict[str, Manager]:
    text = resources.files(__package__).joinpath("data/managers.toml").read_text("utf-8")
    return {name: Manager(**facts) for name, facts in tomllib.loads(text).items()}
