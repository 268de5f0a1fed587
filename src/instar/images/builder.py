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


def build(
    recipe: Recipe,
    image_dir: Path,
    progress: Progress = lambda _: None,
    *,
    fresh: bool = False,
    mirror: str | None = None,
    agent_source: Path | None = None,
) -> Manifest:
    """Build the recipe's image into the directory, or find it there when nothing it is made of has changed.

    `fresh` fetches every package again, at the newest version that fits; `mirror` is where a whole system
    comes from, instead of where this machine's apt goes; `agent_source` is a folder or zip with another agent
    than our own. The image comes whole or not at all, and may be built again at any time. Raises BuildError,
    and BadRequest when `agent_source` holds no agent.
    """
    agent = read(agent_source) if agent_source else own()
    order = Order(recipe, agent, image_dir, progress, fresh, mirror)
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
