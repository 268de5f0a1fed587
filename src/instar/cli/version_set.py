"""`instar version set`."""

import argparse

from instar.cli import _columns, _version_options
from instar.cli._command import Columns, ShowOne


class SetVersion(ShowOne):
    """Change a datastore version (administrators only)."""

    example = "instar version set 17.10 --datastore postgresql --no-active"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("version", help="its id or name")
        parser.add_argument("--datastore", help="where a name is looked for; in all if not given")
        parser.add_argument("--name", help="a new name")
        which = parser.add_mutually_exclusive_group()
        which.add_argument(
            "--image", help="another image: instances get it when they are upgraded to this version"
        )
        which.add_argument(
            "--image-tag",
            action="append",
            metavar="TAG",
            help="instead: the newest image that has this tag is meant, and all others that are named so",
        )
        parser.add_argument("--manager", help="the agent's datastore plug-in")
        _version_options.declare(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        changes = {
            "name": parsed_args.name,
            "image": parsed_args.image,
            "image_tags": parsed_args.image_tag,
            "datastore_manager": parsed_args.manager,
        }
        changes = {key: value for key, value in changes.items() if value} | _version_options.read(parsed_args)
        return _columns.version(
            self.client.versions.update(parsed_args.version, parsed_args.datastore, **changes)
        )
