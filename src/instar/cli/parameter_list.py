"""`instar parameter list`."""

import argparse

from instar.cli._command import Columns, Lister


class ListParameters(Lister):
    """List the parameters of a datastore version that a configuration group may set."""

    example = "instar parameter list 17.10 -c Name -c Default -c Unit"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("version", help="its id or name")
        parser.add_argument("--datastore", help="where a name is looked for; in all if not given")

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        columns = ("Name", "Type", "Default", "Minimum", "Maximum", "Unit", "Restart Required")
        return columns, (
            (one.name, one.type, one.default, one.min, one.max, one.unit, one.restart_required)
            for one in self.client.parameters.list(parsed_args.version, parsed_args.datastore)
        )
