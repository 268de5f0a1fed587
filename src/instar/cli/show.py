"""`instar show`."""

import argparse

from instar.cli import _columns
from instar.cli._command import Columns, ShowOne


class ShowInstance(ShowOne):
    """Show an instance."""

    example = """instar show demo
instar show demo -f value -c address"""

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("instance", help="its id or name")

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        return _columns.instance(self.client.instances.get(parsed_args.instance))
