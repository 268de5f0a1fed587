"""`instar resize`."""

import argparse

from instar.cli._command import Columns
from instar.cli._operation import StartOne


class ResizeInstance(StartOne):
    """Give an instance another flavor, or a larger volume.

    The database is down while its server gets another size; one that does not come up there gets its old size
    again. A volume grows while the database serves, and never shrinks.
    """

    example = """instar resize demo --flavor medium --wait
instar resize demo --volume-size 2 --wait"""

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        super().declare(parser)
        parser.add_argument("instance", help="its id or name")
        one = parser.add_mutually_exclusive_group(required=True)
        one.add_argument("--flavor", help="id or name, see `instar flavor list`")
        one.add_argument("--volume-size", type=int, metavar="GIB", help="larger than the volume is")

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        instances = self.client.instances
        operation = (
            instances.resize(parsed_args.instance, self.client.flavors.resolve(parsed_args.flavor))
            if parsed_args.flavor
            else instances.resize_volume(parsed_args.instance, parsed_args.volume_size)
        )
        return self.show(operation, parsed_args)
