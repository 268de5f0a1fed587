"""`instar probe create`."""

import argparse

from instar.cli._command import Command


class CreateProbe(Command):
    """Register a probe: a query with its expected answer, put before and after every upgrade.

    A failing one forbids an upgrade beforehand, and fails it before clients are let in; with `--policy warn`
    it is told. The statement is run in a read-only transaction.
    """

    example = """instar probe create demo orders --database shop --expected t \\
    'SELECT count(*) > 0 FROM orders'"""

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("instance", help="its id or name")
        parser.add_argument("name")
        parser.add_argument("sql", help="one statement")
        parser.add_argument("--database", required=True, help="where it is run")
        parser.add_argument(
            "--expected",
            required=True,
            help="the first column of the first row as text; empty when there is to be no row",
        )
        parser.add_argument("--policy", choices=("block", "warn"), default="block", help="default: block")

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Run the command."""
        self.client.probes.create(
            parsed_args.instance,
            parsed_args.name,
            database=parsed_args.database,
            sql=parsed_args.sql,
            expected=parsed_args.expected,
            policy=parsed_args.policy,
        )
