"""`instar database create`."""

import argparse

from instar.cli._command import Command


class CreateDatabase(Command):
    """Create databases in an instance."""

    example = "instar database create demo orders stock"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("instance", help="its id or name")
        parser.add_argument("name", nargs="+")
        parser.add_argument("--character-set", metavar="NAME", help="such as utf8mb4 or UTF8")
        parser.add_argument("--collate", metavar="NAME", help="how text is ordered")

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Run the command."""
        self.client.databases.create(
            parsed_args.instance,
            *parsed_args.name,
            character_set=parsed_args.character_set,
            collate=parsed_args.collate,
        )
