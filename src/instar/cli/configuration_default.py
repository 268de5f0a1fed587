"""`instar configuration default`."""

import argparse

from instar.cli._command import Columns, Lister


class ListDefaults(Lister):
    """List the defaults of the parameters that can be set on an instance."""

    example = "instar configuration default demo"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("instance", help="its id or name")

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        return ("Parameter", "Default"), self.client.configurations.defaults(parsed_args.instance).items()
