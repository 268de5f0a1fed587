"""`instar configuration replace`."""

import argparse

from instar.cli import _columns, _values
from instar.cli._command import Columns, ShowOne


class ReplaceConfiguration(ShowOne):
    """Replace all values of a configuration group.

    The instances that it is attached to follow by themselves: `configuration instances` tells which have.
    """

    example = "instar configuration replace web work_mem=32MB random_page_cost=1.1"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("configuration", help="its id or name")
        _values.declare(parser, required=True)

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        group = self.client.configurations.resolve(parsed_args.configuration)
        self.client.configurations.replace(group, _values.read(parsed_args))
        return _columns.configuration(self.client.configurations.get(group))
