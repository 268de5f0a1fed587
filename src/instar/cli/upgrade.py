"""`instar upgrade`."""

import argparse

from instar.cli._command import Columns
from instar.cli._operation import StartOne


class UpgradeInstance(StartOne):
    """Move an instance onto the image of a datastore version.

    Data, address, port, users and configuration stay. The version may be the one it has: an image that was
    registered anew brings a new operating system or a new guest agent.
    """

    example = """instar version list --reachable-from demo
instar upgrade demo 18.6 --wait"""

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        super().declare(parser)
        parser.add_argument("instance", help="its id or name")
        parser.add_argument("datastore_version", help="id or name of the version to go to")
        parser.add_argument(
            "--method",
            choices=("link", "clone", "copy"),
            help="how data files cross a major version (default: link)",
        )

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        operation = self.client.instances.upgrade(
            parsed_args.instance, parsed_args.datastore_version, method=parsed_args.method
        )
        return self.show(operation, parsed_args)
