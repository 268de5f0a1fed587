"""`instar root enable`."""

import argparse

from instar.cli import _columns
from instar.cli._command import Columns, ShowOne


class EnableRoot(ShowOne):
    """Let the superuser log in over the network, and show its password once."""

    example = "instar root enable demo"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("instance", help="its id or name")

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        user = self.client.root.enable(parsed_args.instance)
        return _columns.one({"name": user.name, "password": user.password})
