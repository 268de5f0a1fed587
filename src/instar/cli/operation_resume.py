"""`instar operation resume`."""

import argparse

from instar.cli._command import Columns
from instar.cli._operation import StartOne


class ResumeOperation(StartOne):
    """Run the failed step of an operation again, after its cause was repaired."""

    example = "instar operation resume 0b1e4c9a-6f0e-4c53-8d0b-1f1f6f6d2a10 --wait"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        super().declare(parser)
        parser.add_argument("operation", metavar="id")

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        return self.show(self.client.operations.resume(parsed_args.operation), parsed_args)
