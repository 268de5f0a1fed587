"""`instar probe run`."""

import argparse
from typing import Any

from instar.cli._command import Columns, Lister

FAILED = 3
"""Exit status when a probe failed whose policy is to block."""


class RunProbes(Lister):
    """Put every probe of an instance to its database now.

    The exit status is 3 when one fails whose policy is `block`.
    """

    example = "instar probe run demo"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("instance", help="its id or name")

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        results = self.client.probes.run(parsed_args.instance)
        self._blocks = any(not result.passed and result.policy == "block" for result in results)
        return ("Name", "Passed", "Seen", "Policy", "Seconds"), [
            (result.name, result.passed, result.seen, result.policy, result.seconds) for result in results
        ]

    def run(self, parsed_args: argparse.Namespace) -> Any:
        """Run the command; gives the exit status."""
        return super().run(parsed_args) or (FAILED if self._blocks else 0)
