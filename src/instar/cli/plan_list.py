"""`instar plan list`."""

import argparse

from instar.cli._command import Columns, Lister


class ListPlans(Lister):
    """List the plans that are kept for an instance, newest first."""

    example = "instar plan list demo"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("instance", help="its id or name")

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        plans = self.client.plans.list(parsed_args.instance)
        return ("Hash", "From", "To", "Allowed", "Created"), (
            (plan.hash, plan.version_before, plan.version_after, plan.allowed, plan.created) for plan in plans
        )
