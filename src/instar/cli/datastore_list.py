"""`instar datastore list`."""

import argparse

from instar.cli import _columns
from instar.cli._command import Columns, Lister


class ListDatastores(Lister):
    """List the datastores on offer."""

    example = "instar datastore list"

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        columns = ("ID", "Name", "Default Version", "Versions")
        return columns, (
            (
                one.id,
                one.name,
                one.default_version,
                _columns.Lines([version.name for version in one.versions]),
            )
            for one in self.client.datastores.list()
        )
