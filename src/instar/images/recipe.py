"""Recipes: what an image is made of, as a small TOML file."""

import tomllib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from instar.wire.errors import BadRequest, NotFound

SHIPPED = Path(__file__).with_name("recipes")


def _below_the_root(path: str) -> str:
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise ValueError("must be a path below the root, such as usr/lib/postgresql/17")
    return path


Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$", max_length=100)]
InnerPath = Annotated[str, StringConstraints(min_length=1), AfterValidator(_below_the_root)]


class Package(BaseModel):
    """A wheel, and which of its folders go where in the image."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requirement: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.+!]+$", description="exact, such as name==1.0"
    )
    folders: Mapping[InnerPath, InnerPath] = Field(min_length=1)


class Recipe(BaseModel):
    """What an image is made of; `checks` maps programs of the tree to the version that each must tell."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Word
    datastore: Word
    manager: Word
    engine_version: Word
    version_name: Word
    agent_suffix: str = Field(
        default="", pattern=r"^(\+[a-z0-9.]+)?$", description="local version, such as +1"
    )
    packages: tuple[Package, ...] = Field(min_length=1)
    checks: Mapping[InnerPath, Word] = {}

    def stamped(self, suffix: str) -> "Recipe":
        """Give the same recipe with another suffix on the agent's version. Raises BadRequest."""
        return _valid({**self.model_dump(), "agent_suffix": suffix}, f"Recipe {self.name}")


def shipped() -> list[str]:
    """List the names of the recipes that come with Instar."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def load(name: str) -> Recipe:
    """Read a shipped recipe by its name, or any recipe by its path (ending in .toml).

    Raises NotFound when there is none, BadRequest naming the key that is wrong in it.
    """
    path = Path(name) if name.endswith(".toml") else SHIPPED / f"{name}.toml"
    if not path.is_file() or (path.parent != SHIPPED and not name.endswith(".toml")):
        raise NotFound(
            f"There is no image recipe {name}",
            remedy=f"Name one of {', '.join(shipped())}, or give the path of a .toml file.",
        )
    try:
        return _valid(tomllib.loads(path.read_text(encoding="utf-8")), f"Recipe {path}")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"Recipe {path} is not TOML", seen=str(error)) from error


def _valid(keys: Mapping[str, object], what: str) -> Recipe:
    try:
        return Recipe.model_validate(keys)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise BadRequest(f"{what} is wrong at {key}", seen=first["msg"]) from error
