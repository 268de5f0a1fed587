"""`instar flavor list`."""

import argparse

from instar.cli._command import Columns, Lister


class ListFlavors(Lister):
    """List the flavors, the sizes on offer."""

    example = "instar flavor list"

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        columns = ("ID", "Name", "RAM MiB", "VCPUs", "Disk GiB")
        return columns, (
            (one.str_id, one.name, one.ram, one.vcpus, one.disk) for one in self.client.flavors.list()
        )
