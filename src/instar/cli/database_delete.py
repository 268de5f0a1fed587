"""`instar database delete`."""

import argparse

from instar.cli._command import Command
from instar.cli._operation import confirm


class DeleteDatabase(Command):
    """Delete a database with all its data."""

    example = "instar database delete demo orders --yes"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("instance", help="its id or name")
        parser.add_argument("name")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Run the command."""
        confirm(self, f"Delete database {parsed_args.name} of {parsed_args.instance}?", parsed_args.yes)
        self.client.databases.delete(parsed_args.instance, parsed_args.name)
