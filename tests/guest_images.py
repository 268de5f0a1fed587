"""Real guest images for tests, built once and kept between runs (`INSTAR_TEST_IMAGES` says where)."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from grounds import LOCAL, Ground
from instar.images import build
from instar.images.recipe import load
from instar.wire.agent import Manifest
from real_engines import LOCAL_POSTGRESQL, Engine


@dataclass(frozen=True)
class Images:
    """What a control plane in tests works with: images in a directory, their engine, and their ground."""

    image_dir: Path
    old: Manifest
    new: Manifest
    new_agent: Manifest
    """As `old`, and its agent tells another version."""
    others: tuple[Manifest, ...] = ()
    engine: Engine = LOCAL_POSTGRESQL
    ground: Ground = LOCAL

    @property
    def offered(self) -> tuple[Manifest, ...]:
        """All of them, `old` as what its version means."""
        return (self.old, self.new, self.new_agent, *self.others)


@pytest.fixture(scope="session")
def images() -> Images:
    """Build the images, or find them built."""
    return build_all()


def image_dir() -> Path:
    """Where the images of tests are kept."""
    default = Path(tempfile.gettempdir()) / f"instar-test-images-{os.geteuid()}"
    return Path(os.environ.get("INSTAR_TEST_IMAGES", default))


def build_all() -> Images:
    """Build the images, or find them built; processes that ask at the same time wait for one another."""
    directory, recipe = image_dir(), load("postgresql-17.10")
    return Images(
        image_dir=directory,
        old=build(recipe, directory),
        new=build(load("postgresql-18.6"), directory),
        new_agent=build(recipe.stamped("+1"), directory),
    )
