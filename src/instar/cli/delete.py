"""`instar delete`."""

import argparse

from instar.cli._command import Columns
from instar.cli._operation import StartOne, confirm


class DeleteInstance(StartOne):
    """Delete an instance with all its data."""

    example = """instar delete demo --yes --wait
instar delete demo --force --yes --wait"""

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        super().declare(parser)
        parser.add_argument("instance", help="its id or name")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument(
            "--force", action="store_true", help="in whatever state it is; an open operation is ended first"
        )

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        instance = self.client.instances.get(parsed_args.instance)
        confirm(self, f"Delete {instance.name} ({instance.id}) and all its data?", parsed_args.yes)
        instances = self.client.instances
        delete = instances.force_delete if parsed_args.force else instances.delete
        return self.show(delete(instance), parsed_args)
