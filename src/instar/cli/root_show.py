"""`instar root show`."""

import argparse

from instar.cli import _columns
from instar.cli._command import Columns, ShowOne


class ShowRoot(ShowOne):
    """Show whether the superuser may log in over the network."""

    example = "instar root show demo"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("instance", help="its id or name")

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        return _columns.one({"root_enabled": self.client.root.is_enabled(parsed_args.instance)})
