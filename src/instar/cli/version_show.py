"""`instar version show`."""

import argparse

from instar.cli import _columns
from instar.cli._command import Columns, ShowOne


class ShowVersion(ShowOne):
    """Show a datastore version."""

    example = "instar version show 18.6 --datastore postgresql"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("version", help="its id or name")
        parser.add_argument("--datastore", help="where a name is looked for; in all if not given")

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        return _columns.version(self.client.versions.get(parsed_args.version, parsed_args.datastore))
