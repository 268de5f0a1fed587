"""`instar configuration detach`."""

import argparse

from instar.cli import _columns
from instar.cli._command import Columns
from instar.cli._operation import StartOne


class DetachConfiguration(StartOne):
    """Take the values of an instance's configuration group out of force."""

    example = "instar configuration detach demo --wait"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        super().declare(parser)
        parser.add_argument("instance", help="its id or name")

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        started = self.client.configurations.detach(parsed_args.instance)
        if started is None:
            self.say("There was no configuration group to detach.")
            return _columns.one({})
        return self.show(started, parsed_args)
