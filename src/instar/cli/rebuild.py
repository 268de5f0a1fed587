"""`instar rebuild`."""

import argparse

from instar.cli._command import Columns
from instar.cli._operation import StartOne


class RebuildInstance(StartOne):
    """Put an image onto an instance: its version's own again, or another; for administrators.

    It goes as an upgrade does, and its version stays what it is.
    """

    example = "instar rebuild demo --wait"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        super().declare(parser)
        parser.add_argument("instance", help="its id or name")
        parser.add_argument(
            "--image", metavar="REF", help="see `instar image list`; its version's if not given"
        )

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        return self.show(self.client.instances.rebuild(parsed_args.instance, parsed_args.image), parsed_args)
