"""`instar quota show`."""

import argparse

from instar.cli._command import Columns, Lister


class ShowQuotas(Lister):
    """Show what a project has and may have; a limit of -1 is none."""

    example = "instar quota show local"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("project", help="its id; another's than one's own is for administrators")

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        rows = self.client.quotas.get(parsed_args.project)
        columns = ("Resource", "In use", "Reserved", "Limit")
        return columns, ((one.resource, one.in_use, one.reserved, one.limit) for one in rows)
