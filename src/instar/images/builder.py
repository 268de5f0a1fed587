"""The way into a build: each of the two kinds of image has its story."""

import errno
from pathlib import Path

from instar.images import system_image, tree_image
from instar.images.agent_source import own, read
from instar.images.errors import BuildError
from instar.images.order import Order
from instar.images.recipe import Recipe
from instar.images.store import Progress
from instar.wire.agent import Manifest
from instar.wire.errors import BadRequest


def build(
    recipe: Recipe,
    image_dir: Path,
    progress: Progress = lambda _: None,
    *,
    fresh: bool = False,
    mirror: str | None = None,
    agent_source: Path | None = None,
    disk: bool = False,
) -> Manifest:
    """Build the recipe's image into the directory, or find it there when nothing it is made of has changed.

    `fresh` fetches every package again, at the newest version that fits; `mirror` is where a whole system
    comes from, instead of where this machine's apt goes; `agent_source` is a folder or zip with another agent
    than our own. With `disk`, a whole system becomes a bootable disk instead of files for containers.
    The image comes whole or not at all, and may be built again at any time. Raises BuildError, and BadRequest
    when
    `agent_source` holds no agent or the recipe makes no disk.
    """
    if disk and recipe.system is None:
        raise BadRequest(
            f"format: recipe {recipe.name} has no [system], so it makes no disk",
            remedy="Name a recipe of a whole Debian system, such as postgresql-17.",
        )
    agent = read(agent_source) if agent_source else own()
    order = Order(recipe, agent, image_dir, progress, fresh, mirror, "qcow2" if disk else "oci")
    try:
        if recipe.system is not None:
            return system_image.build(order, recipe.system)
        return tree_image.build(order)
    except OSError as error:
        raise _explain(error, image_dir) from error


def _explain(error: OSError, image_dir: Path) -> BuildError:
    remedies = {
        errno.ENOSPC: "Free some space (a tree takes about 100 MB, a whole system 500 MB and thrice that "
        "while it is built).",
        errno.EACCES: "Choose a directory that you may write to with --image-dir, or set INSTAR_STATE_DIR.",
    }
    return BuildError(
        f"The image could not be written to {image_dir}",
        seen=str(error),
        remedy=remedies.get(error.errno or 0, "Mend that and build again."),
    )
