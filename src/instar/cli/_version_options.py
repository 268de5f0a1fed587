"""What `version create` and `version set` have in common."""

import argparse
from typing import Any


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--upgrade-from",
        action="append",
        metavar="RANGE",
        help="versions it can be reached from, such as '>=16,<18'; may be repeated",
    )
    yes_or_no = argparse.BooleanOptionalAction
    parser.add_argument("--default", action=yes_or_no, help="whether its datastore's default")
    parser.add_argument("--active", action=yes_or_no, help="whether it may be used")


def read(parsed_args: argparse.Namespace) -> dict[str, Any]:
    """Give the keys of the request for the options that were given."""
    given = {
        "upgrade_from": parsed_args.upgrade_from,
        "default": parsed_args.default,
        "active": parsed_args.active,
    }
    return {key: value for key, value in given.items() if value is not None}
