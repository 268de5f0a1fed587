"""`instar plan show`."""

import argparse

from instar.cli import _plans
from instar.cli._command import Columns


class ShowPlanAgain(_plans.ShowPlan):
    """Show a plan that was made before; the exit status is that of `instar plan`."""

    example = "instar plan show demo 5f0c9a51d2e4b7a86c3f1e0d9b8a7c65"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("instance", help="its id or name")
        parser.add_argument("plan", help="its hash or id")

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        return self.told(self.client.plans.get(parsed_args.instance, parsed_args.plan), parsed_args.instance)
