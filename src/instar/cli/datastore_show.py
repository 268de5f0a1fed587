"""`instar datastore show`."""

import argparse

from instar.cli import _columns
from instar.cli._command import Columns, ShowOne


class ShowDatastore(ShowOne):
    """Show a datastore."""

    example = "instar datastore show postgresql"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("datastore", help="its id or name")

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        found = self.client.datastores.get(parsed_args.datastore)
        return _columns.one(
            {
                "id": found.id,
                "name": found.name,
                "default_version": found.default_version,
                "versions": _columns.Lines([version.name for version in found.versions]),
            }
        )
