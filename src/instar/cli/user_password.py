"""`instar user password`."""

import argparse

from instar.cli import _columns, _passwords
from instar.cli._command import Columns, ShowOne


class SetUserPassword(ShowOne):
    """Give a database user another password."""

    example = "instar user password demo ann --generate-password"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("instance", help="its id or name")
        parser.add_argument("user", help="its name")
        parser.add_argument("--host", help="from where it may come; everywhere if not given")
        _passwords.declare(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        password = _passwords.read(self, parsed_args, f"user {parsed_args.user}")
        self.client.users.update(
            parsed_args.instance, parsed_args.user, host=parsed_args.host, password=password
        )
        shown = password if parsed_args.generate_password else None
        return _columns.one({"name": parsed_args.user, "password": shown})
