"""`instar user create`."""

import argparse

from instar.cli import _columns, _passwords
from instar.cli._command import Columns, ShowOne


class CreateUser(ShowOne):
    """Create a database user."""

    example = "instar user create demo ann --database shop --password-file ann.txt"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("instance", help="its id or name")
        parser.add_argument("user", help="its name")
        parser.add_argument("--host", help="from where it may come; everywhere if not given")
        parser.add_argument("--database", action="append", default=[], metavar="NAME", help="may be repeated")
        _passwords.declare(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        password = _passwords.read(self, parsed_args, f"user {parsed_args.user}")
        self.client.users.create(
            parsed_args.instance,
            parsed_args.user,
            password,
            host=parsed_args.host,
            databases=parsed_args.database,
        )
        shown = password if parsed_args.generate_password else None
        databases = _columns.Lines(parsed_args.database)
        return _columns.one({"name": parsed_args.user, "databases": databases, "password": shown})
