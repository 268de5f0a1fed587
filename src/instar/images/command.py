"""`instar image build` and `instar image list`."""

import argparse
import time
from pathlib import Path
from typing import Any

from cliff.lister import Lister
from cliff.show import ShowOne

from instar.images import store
from instar.images.builder import build
from instar.images.progress import add_image_dir, telling
from instar.images.recipe import load, shipped


class BuildImage(ShowOne):
    """Build a guest image, or find it when it is built already.

    A recipe makes a tree for the local provider, or a whole Debian system for containers or, with --disk, for
    virtual machines; that takes root and mmdebstrap.

    Example: instar image build postgresql-18.6
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.add_argument(
            "recipe", metavar="RECIPE", help=f"one of {', '.join(shipped())}, or the path of a .toml file"
        )
        parser.add_argument(
            "--agent-suffix", metavar="SUFFIX", help="stamp the guest agent's version, such as +1"
        )
        parser.add_argument(
            "--agent-source",
            type=Path,
            metavar="PATH",
            help="folder or zip with the guest agent of another release (default: this Instar's own)",
        )
        parser.add_argument(
            "--disk",
            action="store_true",
            help="make a bootable disk of a whole system (qcow2), for virtual machines",
        )
        parser.add_argument("--fresh", action="store_true", help="fetch every package again")
        parser.add_argument(
            "--mirror",
            metavar="URI",
            help="where a whole system's packages come from (default: where this machine's apt goes)",
        )
        add_image_dir(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        recipe = load(parsed_args.recipe)
        if parsed_args.agent_suffix is not None:
            recipe = recipe.stamped(parsed_args.agent_suffix)
        image_dir = parsed_args.image_dir.absolute()
        begun = time.monotonic()
        with telling(recipe.name) as progress:
            manifest = build(
                recipe,
                image_dir,
                progress,
                fresh=parsed_args.fresh,
                mirror=parsed_args.mirror,
                agent_source=parsed_args.agent_source,
                disk=parsed_args.disk,
            )
        return (
            (
                *("name", "version", "engine_version", "agent_version", "format", "os"),
                *("digest", "path", "seconds"),
            ),
            (
                manifest.recipe,
                manifest.version_name,
                manifest.engine_version,
                manifest.agent_version,
                manifest.format,
                manifest.os,
                manifest.digest,
                str(store.path_of(image_dir, manifest.digest)),
                round(time.monotonic() - begun, 1),
            ),
        )


class ListImages(Lister):
    """List the guest images that were built on this machine, newest first.

    Example: instar image list -f json
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        add_image_dir(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        return (
            ("name", "datastore", "version", "agent_version", "format", "os", "built_at", "digest"),
            [
                (
                    image.recipe,
                    image.datastore,
                    image.version_name,
                    image.agent_version,
                    image.format,
                    image.os,
                    image.built_at,
                    image.digest,
                )
                for image in store.images(parsed_args.image_dir)
            ],
        )
