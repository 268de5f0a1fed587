"""`instar user show`."""

import argparse

from instar.cli import _columns
from instar.cli._command import Columns, ShowOne


class ShowUser(ShowOne):
    """Show a database user."""

    example = "instar user show demo ann"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("instance", help="its id or name")
        parser.add_argument("user", help="its name")
        parser.add_argument("--host", help="from where it may come; everywhere if not given")

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        found = self.client.users.get(parsed_args.instance, parsed_args.user, parsed_args.host)
        databases = _columns.Lines([database.name for database in found.databases])
        return _columns.one({"name": found.name, "host": found.host, "databases": databases})
