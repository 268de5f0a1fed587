"""`instar operation abort`."""

import argparse
from typing import TYPE_CHECKING

from instar.cli import _columns
from instar.cli._command import Columns
from instar.cli._operation import StartOne

if TYPE_CHECKING:
    from instar.wire.rest import Operation


class AbortOperation(StartOne):
    """Stop an operation that is under way.

    Before the downtime it just ends. In the downtime it takes its way back, as long as there is one, and the
    instance serves as it did before. Where neither can be, the answer says why. With --wait, the exit status
    is 0 when the operation was stopped and the instance is as it was.
    """

    example = "instar operation abort 0b1e4c9a-6f0e-4c53-8d0b-1f1f6f6d2a10 --wait"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        super().declare(parser)
        parser.add_argument("operation", metavar="id")

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        from instar.client.errors import NoWayBack, OperationFailed

        operation = self.client.operations.abort(parsed_args.operation)
        if not parsed_args.wait:
            self.say(f"The {operation.kind} is being stopped: instar operation show {operation.id}")
            return _columns.operation(operation)
        try:
            self.settle(operation, wait=True)
            raise NoWayBack(f"The abort came too late: the {operation.kind} has succeeded")
        except OperationFailed as error:
            if not _was_stopped(error.operation):
                raise
            operation = error.operation
        return _columns.operation(operation)


def _was_stopped(operation: "Operation") -> bool:
    error = operation.error
    return error is not None and error.code == "aborted" and "resume" not in operation.verbs
