"""Which extensions an engine offers: read from the control files that come with it."""

import re
from collections.abc import Sequence
from pathlib import Path

from instar.images.recipe import Recipe

_DEFAULT = re.compile(r"^\s*default_version\s*=\s*'([^']+)'", re.MULTILINE)


def offered(recipe: Recipe, fetched: Sequence[Path]) -> dict[str, str]:
    """Give the extensions of a tree recipe's own engine, name -> default version.

    Empty for an engine without such files. `fetched` are the recipe's packages, in its order.
    """
    engine = f"usr/lib/{recipe.datastore}/{recipe.engine_version.split('.')[0]}"
    found: dict[str, str] = {}
    for package, folder in zip(recipe.packages, fetched, strict=True):
        for source, target in package.folders.items():
            if target == engine:
                found |= _in(folder / source / "share")
    return dict(sorted(found.items()))


def of_root(root: Path, datastore: str, engine_version: str) -> dict[str, str]:
    """Give the extensions of a whole system's engine, likewise: Debian's, or one in its own folder."""
    major = engine_version.split(".")[0]
    own = root / f"usr/lib/{datastore}/{major}/share"
    return dict(sorted(_in(own if own.is_dir() else root / f"usr/share/{datastore}/{major}").items()))


def _in(share: Path) -> dict[str, str]:
    """Read the control files; those of single versions bear the version in their name."""
    texts = {path.stem: path.read_text("utf-8", "replace") for path in share.glob("**/extension/*.control")}
    return {
        name: version[1]
        for name, text in texts.items()
        if "--" not in name and (version := _DEFAULT.search(text))
    }
