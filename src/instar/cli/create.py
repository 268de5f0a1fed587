"""`instar create`."""

import argparse
from typing import Any

from instar.cli import _columns, _passwords
from instar.cli._command import Columns
from instar.cli._operation import StartOne


class CreateInstance(StartOne):
    """Create an instance, with databases and a user if named.

    The user may use all the databases named. Its password is taken from --password-file, from the environment
    variable INSTAR_USER_PASSWORD, from a prompt, or made by --generate-password.
    """

    example = """instar create demo --flavor small --volume-size 1 --version 17.10 \\
    --database shop --user ann --generate-password --wait"""

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        super().declare(parser)
        parser.add_argument("name")
        parser.add_argument("--flavor", required=True, help="its size, see `instar flavor list`")
        parser.add_argument(
            "--volume-size", required=True, type=int, metavar="GIB", help="of the data volume"
        )
        parser.add_argument("--datastore", help="see `instar datastore list`; the default one if not given")
        parser.add_argument(
            "--version", help="see `instar version list`; the datastore's default if not given"
        )
        parser.add_argument("--database", action="append", default=[], metavar="NAME", help="may be repeated")
        parser.add_argument("--user", metavar="NAME", help="a database user")
        parser.add_argument("--host", help="from where the user may come; everywhere if not given")
        parser.add_argument("--configuration", metavar="GROUP", help="id or name of a configuration group")
        _passwords.declare(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        user = self._user(parsed_args) if parsed_args.user else None
        group = parsed_args.configuration and self.client.configurations.resolve(parsed_args.configuration)
        instance = self.client.instances.create(
            parsed_args.name,
            flavor=self.client.flavors.resolve(parsed_args.flavor),
            volume_size=parsed_args.volume_size,
            datastore=parsed_args.datastore,
            version=parsed_args.version,
            databases=parsed_args.database,
            users=[user] if user else [],
            **({"configuration": group} if group else {}),
        )
        made = {"password": user["password"]} if user and parsed_args.generate_password else {}
        if instance.operation:
            self._settle(instance.operation["id"], parsed_args.wait, made)
            instance = self.client.instances.get(instance)
        return _columns.instance(instance, **made)

    def _user(self, parsed_args: argparse.Namespace) -> dict[str, Any]:
        return {
            "name": parsed_args.user,
            "password": _passwords.read(self, parsed_args, f"user {parsed_args.user}"),
            "databases": [{"name": name} for name in parsed_args.database],
            **({"host": parsed_args.host} if parsed_args.host else {}),
        }

    def _settle(self, operation_id: str, wait: bool, made: dict[str, str]) -> None:
        """Wait if asked to; a password that was made here is shown even when that ends badly."""
        ended = False
        try:
            self.settle(self.client.operations.get(operation_id), wait)
            ended = True
        finally:
            if made and not ended:
                self.say(f"The user's password: {made['password']}")
