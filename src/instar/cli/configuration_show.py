"""`instar configuration show`."""

import argparse

from instar.cli import _columns
from instar.cli._command import Columns, ShowOne


class ShowConfiguration(ShowOne):
    """Show a configuration group with its values."""

    example = "instar configuration show web"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("configuration", help="its id or name")

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        return _columns.configuration(self.client.configurations.get(parsed_args.configuration))
