"""`instar version create`."""

import argparse

from instar.cli import _columns, _version_options
from instar.cli._command import Columns, ShowOne


class CreateVersion(ShowOne):
    """Register a datastore version (administrators only).

    A datastore that is not there yet is made.
    """

    example = "instar version create postgresql 18.6 --image sha256:9f2c... --default"

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare this command's arguments."""
        parser.add_argument("datastore", help="its name")
        parser.add_argument("name", help="what users call the version")
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--image", help="the image its instances run, see `instar image list`")
        which.add_argument(
            "--image-tag",
            action="append",
            metavar="TAG",
            help="instead: the newest image that has this tag is meant, and all others that are named so",
        )
        parser.add_argument(
            "--manager", help="the agent's datastore plug-in; called like the datastore if not given"
        )
        parser.add_argument("--number", help="the engine's version number, where the name isn't it")
        _version_options.declare(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> Columns:
        """Run the command."""
        more = _version_options.read(parsed_args)
        if parsed_args.number:
            more["version"] = parsed_args.number
        version = self.client.versions.create(
            parsed_args.datastore,
            parsed_args.name,
            image=parsed_args.image,
            image_tags=parsed_args.image_tag or [],
            manager=parsed_args.manager or parsed_args.datastore,
            **more,
        )
        return _columns.version(version)
