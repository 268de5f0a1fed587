"""`instar configuration instances`."""

import argparse

from instar.cli._command import Columns, Lister


class ListAttached(Lister):
    """List the instances that a configuration group is attached to, and whether they have its values."""

    example = "instar configuration instances web"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("configuration", help="its id or name")

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        return ("ID", "Name", "In Force", "Restart Required"), (
            (one.id, one.name, one.in_force, one.restart_required)
            for one in self.client.configurations.instances(parsed_args.configuration)
        )
