"""Commands that start an operation: they say which, and wait for its end where asked to."""

import argparse
from typing import TYPE_CHECKING, Any

from instar.cli import _columns
from instar.cli._command import Columns, Command, ShowOne

if TYPE_CHECKING:
    from instar.wire.rest import Operation


class Starting(Command):
    """A command that starts an operation."""

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare --wait."""
        parser.add_argument(
            "--wait",
            action="store_true",
            help="show progress until it has ended; the exit status is 0 only when that was done",
        )

    def settle(self, operation: "Operation", wait: bool) -> "Operation":
        """Wait for the operation if asked to. Raises OperationFailed when it failed."""
        if not wait:
            self.say(f"The {operation.kind} was accepted. Follow it: instar operation show {operation.id}")
            return operation
        try:
            return self._follow(operation)
        except KeyboardInterrupt:
            self.say(
                f"The {operation.kind} goes on in the control plane."
                f" Follow it: instar operation show {operation.id}"
            )
            raise

    def _follow(self, operation: "Operation") -> "Operation":
        from instar.cli._progress import shown_on
        from instar.client.errors import OperationFailed

        with shown_on(self.app.stderr) as progress:
            for event in self.client.operations.follow(operation, on_break=progress.broken):
                progress.event(event)
            ended = self.client.operations.get(operation)
            progress.ended(ended)
        if ended.state == "FAILED":
            raise OperationFailed(ended)
        return ended


class StartOne(Starting, ShowOne):
    """A command that starts an operation and shows it."""

    def show(self, operation: "Operation | None", parsed_args: argparse.Namespace) -> Columns:
        """Settle an operation and show it; a control plane without operations has none to show."""
        if operation is None:
            self.say("Accepted; this control plane tells of no operation. See `instar show`.")
            return _columns.one({})
        return _columns.operation(self.settle(operation, parsed_args.wait))


def confirm(command: Command, question: str, is_sure: bool) -> None:
    """Ask on the terminal before something is destroyed. Raises BadRequest when the answer isn't yes."""
    from instar.client.errors import BadRequest

    stdin: Any = command.app.stdin
    if is_sure:
        return
    if not stdin.isatty():
        raise BadRequest("Not confirmed", remedy="Give --yes.")
    command.app.stderr.write(f"{question} [y/N] ")
    command.app.stderr.flush()
    if stdin.readline().strip().lower() not in ("y", "yes"):
        raise BadRequest("Not confirmed, nothing was done")
