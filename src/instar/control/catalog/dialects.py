"""How an engine's configuration is written: `postgresql` or, for MariaDB and MySQL, `mysql`."""

from typing import Literal

Dialect = Literal["postgresql", "mysql"]


def key(name: str) -> str:
    """Give what two spellings of a parameter's name have in common: case does not matter, and a dash is an
    underscore.
    """
    return name.lower().replace("-", "_")
