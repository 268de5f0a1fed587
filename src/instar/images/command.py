"""`instar image build` and `instar image list`."""

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cliff.lister import Lister
from cliff.show import ShowOne

from instar.images import store
from instar.images.builder import build
from instar.images.recipe import Recipe, load, shipped
from instar.images.store import Progress


class BuildImage(ShowOne):
    """Build a guest image for the local provider, or find it when it is built already.

    Example: instar image build postgresql-18.6
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            "recipe", metavar="RECIPE", help=f"one of {', '.join(shipped())}, or the path of a .toml file"
        )
        parser.add_argument(
            "--agent-suffix", metavar="SUFFIX", help="stamp the guest agent's version, such as +1"
        )
        parser.add_argument("--fresh", action="store_true", help="fetch every package again")
        _add_image_dir(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        recipe = load(parsed_args.recipe)
        if parsed_args.agent_suffix is not None:
            recipe = recipe.stamped(parsed_args.agent_suffix)
        image_dir = parsed_args.image_dir.absolute()
        begun = time.monotonic()
        with _progress(recipe) as progress:
            manifest = build(recipe, image_dir, progress, fresh=parsed_args.fresh)
        return (
            ("name", "version", "agent_version", "digest", "path", "seconds"),
            (
                manifest.recipe,
                manifest.version_name,
                manifest.agent_version,
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
        _add_image_dir(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        return (
            ("name", "datastore", "version", "agent_version", "built_at", "digest"),
            [
                (
                    image.recipe,
                    image.datastore,
                    image.version_name,
                    image.agent_version,
                    image.built_at,
                    image.digest,
                )
                for image in store.images(parsed_args.image_dir)
            ],
        )


def _add_image_dir(parser: argparse.ArgumentParser) -> None:
    default = store.default_image_dir()
    parser.add_argument(
        "--image-dir",
        type=Path,
        default=default,
        metavar="DIR",
        help=f"where images are kept (default {default})",
    )


@contextmanager
def _progress(recipe: Recipe) -> Iterator[Progress]:
    """Tell how far the build is: a live line on a terminal, else plain lines; on standard error."""
    if not sys.stderr.isatty():
        yield lambda doing: print(f"{recipe.name}: {doing}", file=sys.stderr, flush=True)
        return
    from rich.console import Console

    with Console(stderr=True).status(f"{recipe.name}: begun") as status:
        yield lambda doing: status.update(f"{recipe.name}: {doing}")
