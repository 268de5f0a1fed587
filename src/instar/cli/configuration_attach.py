"""`instar configuration attach`."""

import argparse

from instar.cli._command import Columns
from instar.cli._operation import StartOne


class AttachConfiguration(StartOne):
    """Put a configuration group's values in force on an instance.

    What the database heeds at a start only waits for one: the instance is RESTART_REQUIRED until it is
    restarted.
    """

    example = "instar configuration attach demo web --wait"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        super().declare(parser)
        parser.add_argument("instance", help="its id or name")
        parser.add_argument("configuration", help="its id or name")

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        started = self.client.configurations.attach(parsed_args.instance, parsed_args.configuration)
        return self.show(started, parsed_args)
