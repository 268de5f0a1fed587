"""`instar database create`."""

import argparse

from instar.cli._command import Command


class CreateDatabase(Command):
    """Create databases in an instance."""

    example = "instar database create demo orders stock"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("instance", help="its id or name")
        parser.add_argument("name", nargs="+")

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Run the command."""
        self.client.databases.create(parsed_args.instance, *parsed_args.name)
