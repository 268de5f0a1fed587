"""`instar operation rollback`."""

import argparse

from instar.cli import _columns, _consent
from instar.cli._command import Columns
from instar.cli._operation import StartOne


class RollBackOperation(StartOne):
    """Have a failed upgrade lead back: the instance serves on its old image again.

    With --wait, the exit status is 0 when the instance is back where it was. To undo an upgrade that
    succeeded, see `instar rollback`.
    """

    example = "instar operation rollback 0b1e4c9a-6f0e-4c53-8d0b-1f1f6f6d2a10 --wait"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        super().declare(parser)
        parser.add_argument("operation", metavar="id")
        _consent.declare(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        from instar.client.errors import OperationFailed

        operation = self.client.operations.rollback(
            parsed_args.operation, discard_writes_since=parsed_args.discard_writes_since
        )
        if not parsed_args.wait:
            self.say(f"The {operation.kind} is being taken back: instar operation show {operation.id}")
            return _columns.operation(operation)
        try:
            operation = self.settle(operation, wait=True)
        except OperationFailed as error:
            if not error.operation.came_back:
                raise
            operation = error.operation
        return _columns.operation(operation)
