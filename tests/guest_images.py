"""Real guest images for tests, built once and kept between runs (`INSTAR_TEST_IMAGES` says where)."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from instar.images import build
from instar.images.recipe import load
from instar.wire.agent import Manifest


@dataclass(frozen=True)
class Images:
    """A directory of images, and what was built into it."""

    image_dir: Path
    postgresql_17: Manifest
    postgresql_18: Manifest
    postgresql_17_new_agent: Manifest
    """As `postgresql_17`, and its agent tells another version."""


@pytest.fixture(scope="session")
def images() -> Images:
    """Build the images, or find them built."""
    return build_all()


def build_all() -> Images:
    """Build the images, or find them built; processes that ask at the same time wait for one another."""
    default = Path(tempfile.gettempdir()) / f"instar-test-images-{os.geteuid()}"
    image_dir = Path(os.environ.get("INSTAR_TEST_IMAGES", default))
    recipe = load("postgresql-17.10")
    return Images(
        image_dir=image_dir,
        postgresql_17=build(recipe, image_dir),
        postgresql_18=build(load("postgresql-18.6"), image_dir),
        postgresql_17_new_agent=build(recipe.stamped("+1"), image_dir),
    )
