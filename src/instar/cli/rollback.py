"""`instar rollback`."""

import argparse

from instar.cli import _consent
from instar.cli._command import Columns
from instar.cli._operation import StartOne


class RollBackInstance(StartOne):
    """Undo an instance's last upgrade, while its undo window is open.

    Where the data format did not change, every write is kept. Where it did, the instance goes back to the
    snapshot of that upgrade, and what was written since is lost: the command refuses, and says how much that
    is, until --discard-writes-since names the time of the snapshot.
    """

    example = """instar rollback demo --wait
instar rollback demo --discard-writes-since 2030-01-31T12:00:00.000Z --wait"""

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        super().declare(parser)
        parser.add_argument("instance", help="its id or name")
        _consent.declare(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        operation = self.client.instances.rollback(
            parsed_args.instance, discard_writes_since=parsed_args.discard_writes_since
        )
        return self.show(operation, parsed_args)
