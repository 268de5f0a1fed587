"""`instar delete`."""

import argparse

from instar.cli._command import Columns
from instar.cli._operation import StartOne, confirm


class DeleteInstance(StartOne):
    """Delete an instance with all its data."""

    example = "instar delete demo --yes --wait"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        super().declare(parser)
        parser.add_argument("instance", help="its id or name")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        instance = self.client.instances.get(parsed_args.instance)
        confirm(self, f"Delete {instance.name} ({instance.id}) and all its data?", parsed_args.yes)
        return self.show(self.client.instances.delete(instance), parsed_args)
