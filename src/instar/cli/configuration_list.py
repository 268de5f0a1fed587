"""`instar configuration list`."""

import argparse

from instar.cli._command import Columns, Lister


class ListConfigurations(Lister):
    """List the configuration groups of the project, newest first."""

    example = "instar configuration list"

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        columns = ("ID", "Name", "Datastore", "Version", "Updated", "Description")
        return columns, (
            (
                one.id,
                one.name,
                one.datastore_name,
                one.datastore_version_name,
                one.updated,
                one.description or "",
            )
            for one in self.client.configurations.list()
        )
