"""`instar reboot`."""

import argparse

from instar.cli._command import Columns
from instar.cli._operation import StartOne


class RebootInstance(StartOne):
    """Boot an instance's server again, and its database with it.

    The database is stopped cleanly first, where the guest still answers.
    """

    example = "instar reboot demo --wait"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        super().declare(parser)
        parser.add_argument("instance", help="its id or name")

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        return self.show(self.client.instances.reboot(parsed_args.instance), parsed_args)
