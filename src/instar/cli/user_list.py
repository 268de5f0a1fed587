"""`instar user list`."""

import argparse

from instar.cli import _columns
from instar.cli._command import Columns, Lister


class ListUsers(Lister):
    """List the database users of an instance."""

    example = "instar user list demo"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("instance", help="its id or name")

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        return ("Name", "Host", "Databases"), (
            (one.name, one.host, _columns.Lines([database.name for database in one.databases]))
            for one in self.client.users.list(parsed_args.instance)
        )
