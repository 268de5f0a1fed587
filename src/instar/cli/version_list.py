"""`instar version list`."""

import argparse

from instar.cli._command import Columns, Lister


class ListVersions(Lister):
    """List datastore versions: all, of one datastore, or those an instance can be upgraded to."""

    example = """instar version list --datastore postgresql
instar version list --reachable-from demo"""

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--datastore", help="id or name: its versions only")
        which.add_argument(
            "--reachable-from", metavar="INSTANCE", help="id or name: where an upgrade can take it"
        )

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        if parsed_args.reachable_from:
            found = self.client.instances.reachable_versions(parsed_args.reachable_from)
        else:
            found = self.client.versions.list(parsed_args.datastore)
        return ("ID", "Name", "Version", "Active"), (
            (one.id, one.name, one.version, one.active) for one in found
        )
