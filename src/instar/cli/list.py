"""`instar list`."""

import argparse

from instar.cli import _columns
from instar.cli._command import Columns, Lister


class ListInstances(Lister):
    """List the instances of the project, newest first."""

    example = """instar list -f json
instar list --limit 5 -c Name -c Status"""

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("--limit", type=int, metavar="N", help="at most so many")
        parser.add_argument("--marker", metavar="ID", help="those after this one")

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        found = self.client.instances.list(limit=parsed_args.limit, marker=parsed_args.marker)
        columns = ("ID", "Name", "Status", "Operating Status", "Datastore", "Version", "Address")
        return columns, (
            (
                one.id,
                one.name,
                one.status,
                one.operating_status,
                one.datastore.get("type"),
                one.datastore.get("version"),
                _columns.address(one),
            )
            for one in found
        )
