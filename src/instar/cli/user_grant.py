"""`instar user grant`."""

import argparse

from instar.cli._command import Command


class GrantUser(Command):
    """Let a user use databases."""

    example = "instar user grant demo ann orders stock"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("instance", help="its id or name")
        parser.add_argument("user", help="its name")
        parser.add_argument("--host", help="from where it may come; everywhere if not given")
        parser.add_argument("database", nargs="+")

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Run the command."""
        self.client.users.grant(
            parsed_args.instance, parsed_args.user, parsed_args.database, host=parsed_args.host
        )
