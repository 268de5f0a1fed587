"""`instar database list`."""

import argparse

from instar.cli._command import Columns, Lister


class ListDatabases(Lister):
    """List the databases of an instance."""

    example = "instar database list demo"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("instance", help="its id or name")

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        return ("Name",), ((one.name,) for one in self.client.databases.list(parsed_args.instance))
