"""`instar stop`."""

import argparse

from instar.cli._command import Columns
from instar.cli._operation import StartOne


class StopDatabase(StartOne):
    """Stop an instance's database until it is restarted; for administrators."""

    example = "instar stop demo --wait"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        super().declare(parser)
        parser.add_argument("instance", help="its id or name")

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        return self.show(self.client.instances.stop(parsed_args.instance), parsed_args)
