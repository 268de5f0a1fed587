"""Parameters on the command line: `work_mem=64MB`."""

import argparse
from typing import Any


def declare(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    """Declare the values."""
    parser.add_argument(
        "values", nargs="+" if required else "*", metavar="PARAMETER=VALUE", help="such as work_mem=64MB"
    )


def read(parsed_args: argparse.Namespace) -> dict[str, Any]:
    """Give the values. Raises BadRequest for one without an equals sign, or that stands there twice."""
    from instar.client.errors import BadRequest

    values: dict[str, Any] = {}
    for given in parsed_args.values:
        name, sign, value = given.partition("=")
        if not sign or not name.strip():
            raise BadRequest(f"{given!r} is not PARAMETER=VALUE")
        if name in values:
            raise BadRequest(f"{name} stands there twice")
        values[name] = value
    return values
