"""`instar root disable`."""

import argparse

from instar.cli._command import Command


class DisableRoot(Command):
    """Shut the superuser out again."""

    example = "instar root disable demo"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("instance", help="its id or name")

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Run the command."""
        self.client.root.disable(parsed_args.instance)
