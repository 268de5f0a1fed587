"""`instar probe list`."""

import argparse

from instar.cli._command import Columns, Lister


class ListProbes(Lister):
    """List the probes of an instance."""

    example = "instar probe list demo"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("instance", help="its id or name")

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        return ("Name", "Database", "SQL", "Expected", "Policy"), (
            (probe.name, probe.database, probe.sql, probe.expected, probe.policy)
            for probe in self.client.probes.list(parsed_args.instance)
        )
