"""`instar rename`."""

import argparse

from instar.cli._command import Command


class RenameInstance(Command):
    """Give an instance another name."""

    example = "instar rename demo shop"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("instance", help="its id or name")
        parser.add_argument("name", help="the new name")

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Run the command."""
        self.client.instances.rename(parsed_args.instance, parsed_args.name)
