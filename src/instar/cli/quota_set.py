"""`instar quota set`."""

import argparse

from instar.cli._command import Command


class SetQuotas(Command):
    """Set what a project may have at most; for administrators. What it has already stays."""

    example = "instar quota set local --instances 10 --volumes 100 --ram 16384"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("project", help="its id")
        parser.add_argument("--instances", type=int, metavar="N", help="how many; -1 is no limit")
        parser.add_argument("--volumes", type=int, metavar="GIB", help="size of all its volumes together")
        parser.add_argument("--ram", type=int, metavar="MIB", help="memory of all its instances together")

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Run the command."""
        from instar.client.errors import BadRequest

        named = {name: getattr(parsed_args, name) for name in ("instances", "volumes", "ram")}
        limits = {name: value for name, value in named.items() if value is not None}
        if not limits:
            raise BadRequest("No quota was named", remedy="Give --instances, --volumes or --ram.")
        self.client.quotas.set(parsed_args.project, **limits)
        self.say("Changed.")
