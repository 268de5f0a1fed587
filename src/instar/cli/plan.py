"""`instar plan`."""

import argparse
from typing import TYPE_CHECKING

from instar.cli import _plans, _upgrade_options
from instar.cli._command import Columns

if TYPE_CHECKING:
    from instar.wire.plans import Plan


class PlanUpgrade(_plans.ShowPlan):
    """Check everything that an upgrade depends on, with the database up, and tell what it would do.

    It changes nothing. The exit status is 0 when the upgrade is allowed, and 3 when something blocks it.
    """

    example = """instar plan demo 18.6
instar plan demo 18.6 --snapshot always --on-failure rollback
instar plan demo 18.6 -f json"""

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        _upgrade_options.declare(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        plan: Plan = self.client.plans.make(
            parsed_args.instance,
            parsed_args.datastore_version,
            method=parsed_args.method,
            snapshot=parsed_args.snapshot,
            on_failure=parsed_args.on_failure,
            text_ordering=parsed_args.text_ordering,
            strategy=parsed_args.strategy,
        )
        return self.told(plan, parsed_args.instance)
