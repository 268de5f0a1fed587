"""`instar user delete`."""

import argparse

from instar.cli._command import Command


class DeleteUser(Command):
    """Delete a database user."""

    example = "instar user delete demo ann"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("instance", help="its id or name")
        parser.add_argument("user", help="its name")
        parser.add_argument("--host", help="from where it may come; everywhere if not given")

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Run the command."""
        self.client.users.delete(parsed_args.instance, parsed_args.user, parsed_args.host)
