"""`instar configuration set`."""

import argparse
from typing import Any

from instar.cli import _columns, _values
from instar.cli._command import Columns, ShowOne


class SetConfiguration(ShowOne):
    """Change values of a configuration group; the others stay.

    It ends when every instance that the group is attached to has the new values.
    """

    example = """instar configuration set web work_mem=32MB
instar configuration set web --unset jit --description 'for the web shop'"""

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("configuration", help="its id or name")
        _values.declare(parser)
        parser.add_argument(
            "--unset", action="append", default=[], metavar="PARAMETER", help="may be repeated"
        )
        parser.add_argument("--name", help="a new name")
        parser.add_argument("--description")

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        values = _values.read(parsed_args) | dict.fromkeys(parsed_args.unset)
        changes: dict[str, Any] = {"name": parsed_args.name, "description": parsed_args.description}
        changes = {key: value for key, value in changes.items() if value is not None}
        changed = self.client.configurations.edit(parsed_args.configuration, values or None, **changes)
        return _columns.configuration(changed)
