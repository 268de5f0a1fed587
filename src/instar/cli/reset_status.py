"""`instar reset status`."""

import argparse

from instar.cli._command import Command


class ResetStatus(Command):
    """End an instance's open operation that nobody works on, as failed; for administrators.

    Nothing is done to the machine: the instance is left in ERROR, with a fault that says who reset it, unless
    the operation had done nothing yet. Without an open operation there is nothing to reset.
    """

    example = "instar reset status demo"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("instance", help="its id or name")

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Run the command."""
        self.client.instances.reset_status(parsed_args.instance)
        self.say(f"Reset. See: instar show {parsed_args.instance}")
