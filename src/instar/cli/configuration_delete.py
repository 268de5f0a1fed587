"""`instar configuration delete`."""

import argparse

from instar.cli._command import Command


class DeleteConfiguration(Command):
    """Delete a configuration group that is attached to no instance."""

    example = "instar configuration delete web"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("configuration", help="its id or name")

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Run the command."""
        self.client.configurations.delete(parsed_args.configuration)
