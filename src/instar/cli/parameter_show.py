"""`instar parameter show`."""

import argparse

from instar.cli import _columns
from instar.cli._command import Columns, ShowOne


class ShowParameter(ShowOne):
    """Show a parameter of a datastore version."""

    example = "instar parameter show 17.10 work_mem"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("version", help="its id or name")
        parser.add_argument("parameter", help="its name")
        parser.add_argument("--datastore", help="where the version is looked for; in all if not given")

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        found = self.client.parameters.get(parsed_args.version, parsed_args.parameter, parsed_args.datastore)
        return _columns.parameter(found)
