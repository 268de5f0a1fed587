"""`instar operation show`."""

import argparse

from instar.cli import _columns
from instar.cli._command import Columns, ShowOne


class ShowOperation(ShowOne):
    """Show an operation: its steps with their times, why it waits, why it failed."""

    example = "instar operation show 0b1e4c9a-6f0e-4c53-8d0b-1f1f6f6d2a10"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("operation", metavar="id")

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        return _columns.operation(self.client.operations.get(parsed_args.operation))
