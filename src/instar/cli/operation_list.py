"""`instar operation list`."""

import argparse

from instar.cli._command import Columns, Lister


class ListOperations(Lister):
    """List the operations of an instance, newest first."""

    example = "instar operation list demo"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("instance", help="its id or name")

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        columns = ("ID", "Kind", "State", "Step", "Seconds", "Downtime Seconds", "Created")
        return columns, (
            (one.id, one.kind, one.state.value, one.step, one.seconds, one.downtime_seconds, one.created)
            for one in self.client.instances.operations(parsed_args.instance)
        )
