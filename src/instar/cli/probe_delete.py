"""`instar probe delete`."""

import argparse

from instar.cli._command import Command


class DeleteProbe(Command):
    """Forget a probe of an instance."""

    example = "instar probe delete demo orders"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("instance", help="its id or name")
        parser.add_argument("name")

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Run the command."""
        self.client.probes.delete(parsed_args.instance, parsed_args.name)
