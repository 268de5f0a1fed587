"""`instar restart`."""

import argparse

from instar.cli._command import Columns
from instar.cli._operation import StartOne


class RestartInstance(StartOne):
    """Stop and start an instance's database."""

    example = "instar restart demo --wait"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        super().declare(parser)
        parser.add_argument("instance", help="its id or name")

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        return self.show(self.client.instances.restart(parsed_args.instance), parsed_args)
