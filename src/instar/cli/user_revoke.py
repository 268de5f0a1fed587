"""`instar user revoke`."""

import argparse

from instar.cli._command import Command


class RevokeUser(Command):
    """Take a user's right to use a database back."""

    example = "instar user revoke demo ann orders"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("instance", help="its id or name")
        parser.add_argument("user", help="its name")
        parser.add_argument("--host", help="from where it may come; everywhere if not given")
        parser.add_argument("database")

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Run the command."""
        self.client.users.revoke(
            parsed_args.instance, parsed_args.user, parsed_args.database, host=parsed_args.host
        )
