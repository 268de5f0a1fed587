"""`instar version delete`."""

import argparse

from instar.cli._command import Command


class DeleteVersion(Command):
    """Delete a datastore version that nothing uses (administrators only)."""

    example = "instar version delete 16.8 --datastore postgresql"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("version", help="its id or name")
        parser.add_argument("--datastore", help="where a name is looked for; in all if not given")

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Run the command."""
        self.client.versions.delete(parsed_args.version, parsed_args.datastore)
