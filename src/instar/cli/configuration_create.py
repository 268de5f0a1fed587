"""`instar configuration create`."""

import argparse

from instar.cli import _columns, _values
from instar.cli._command import Columns, ShowOne


class CreateConfiguration(ShowOne):
    """Create a configuration group: values for instances of one datastore version."""

    example = "instar configuration create web work_mem=64MB max_connections=200 --version 17.10"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("name")
        _values.declare(parser, required=True)
        parser.add_argument("--datastore", help="see `instar datastore list`; the default one if not given")
        parser.add_argument(
            "--version", help="see `instar version list`; the datastore's default if not given"
        )
        parser.add_argument("--description")

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        made = self.client.configurations.create(
            parsed_args.name,
            _values.read(parsed_args),
            datastore=parsed_args.datastore,
            version=parsed_args.version,
            description=parsed_args.description,
        )
        return _columns.configuration(made)
