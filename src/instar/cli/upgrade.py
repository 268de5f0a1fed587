"""`instar upgrade`."""

import argparse

from instar.cli import _upgrade_options
from instar.cli._command import Columns
from instar.cli._operation import StartOne


class UpgradeInstance(StartOne):
    """Move an instance onto the image of a datastore version.

    Data, address, port, users and configuration stay. The version may be the one it has: an image that was
    registered anew brings a new operating system or a new guest agent. Every upgrade makes a plan first, and
    what it blocks is refused before any downtime; `--plan` holds it to the plan that you have read.
    """

    example = """instar version list --reachable-from demo
instar plan demo 18.6
instar upgrade demo 18.6 --plan 5f0c9a51d2e4b7a86c3f1e0d9b8a7c65 --wait"""

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        super().declare(parser)
        _upgrade_options.declare(parser)
        parser.add_argument(
            "--plan",
            metavar="HASH",
            help="refuse when anything that this plan depends on has changed; its options hold",
        )

        parser.add_argument(
            "--force",
            action="store_true",
            help="go on where the plan's findings block, except over what can never work; what was gone over "
            "is recorded, and the database's own checks still refuse what would harm",
        )

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        operation = self.client.instances.upgrade(
            parsed_args.instance,
            parsed_args.datastore_version,
            method=parsed_args.method,
            snapshot=parsed_args.snapshot,
            on_failure=parsed_args.on_failure,
            text_ordering=parsed_args.text_ordering,
            strategy=parsed_args.strategy,
            plan=parsed_args.plan,
            force=parsed_args.force,
        )
        return self.show(operation, parsed_args)
