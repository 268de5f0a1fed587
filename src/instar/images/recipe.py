"""Recipes: what an image is made of, as a small TOML file."""

import tomllib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from instar.wire.errors import BadRequest, NotFound

SHIPPED = Path(__file__).with_name("recipes")


def _below_the_root(path: str) -> str:
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise ValueError("must be a path below the root, such as usr/lib/postgresql/17")
    return path


Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$", max_length=100)]
InnerPath = Annotated[str, StringConstraints(min_length=1), AfterValidator(_below_the_root)]
Release = Annotated[str, StringConstraints(pattern=r"^[a-z]+$", max_length=30)]
DebianPackage = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.+-]+$", max_length=100)]
Locale = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_@]+(\.UTF-8)?$", max_length=40)]
Pattern = Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9._+*?/-]+$", max_length=200)]


class Package(BaseModel):
    """A wheel, and which of its folders go where in the image."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requirement: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.+!]+$", description="exact, such as name==1.0"
    )
    folders: Mapping[InnerPath, InnerPath] = Field(min_length=1)


LOCALES = (
    *(
        "de_DE.UTF-8",
        "en_GB.UTF-8",
        "en_US.UTF-8",
        "es_ES.UTF-8",
        "fr_FR.UTF-8",
        "it_IT.UTF-8",
        "lv_LV.UTF-8",
    ),
    *("nl_NL.UTF-8", "pl_PL.UTF-8", "pt_BR.UTF-8", "sv_SE.UTF-8", "th_TH.UTF-8"),
)
"""What a system can sort and fold by, unless its recipe says otherwise."""


class Foreign(BaseModel):
    """Packages that another Debian release has: installed with what they need, where the system has none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    debian: Release
    packages: tuple[DebianPackage, ...] = Field(min_length=1)


class System(BaseModel):
    """A whole Debian system instead of a bare tree."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    debian: Release
    packages: tuple[DebianPackage, ...] = ()
    foreign: tuple[Foreign, ...] = ()
    exclude: tuple[Pattern, ...] = Field(
        default=(), description="paths that dpkg leaves out, such as /usr/x/*"
    )
    locales: tuple[Locale, ...] = LOCALES
    writable: tuple[InnerPath, ...] = Field(default=(), description="folders of the guest's own user")
    server: InnerPath = Field(description="program whose --version tells the engine's version")


class Recipe(BaseModel):
    """What an image is made of; `checks` maps its programs to what each must say to --version.

    A recipe with a `system` is built as a whole Debian system, which tells the engine's version itself; one
    without is a tree for the local provider.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Word
    datastore: Word
    manager: Word
    engine_version: Word | Literal[""] = Field(default="", description="of a tree; a system tells its own")
    version_name: Word
    upgrade_from: tuple[str, ...] = Field(default=(), description="such as '>=15,<18'")
    agent_suffix: str = Field(
        default="", pattern=r"^(\+[a-z0-9.]+)?$", description="local version, such as +1"
    )
    system: System | None = None
    packages: tuple[Package, ...] = ()
    checks: Mapping[InnerPath, Word] = {}

    @model_validator(mode="after")
    def _is_a_tree_or_a_system(self) -> "Recipe":
        if self.system is None and not (self.packages and self.engine_version):
            raise ValueError("a recipe without [system] names its engine_version and its packages")
        if self.system is not None and self.engine_version:
            raise ValueError("with [system], engine_version is what the server says: leave it out")
        return self

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
        raise BadRequest(f"{what} is wrong{key and f' at {key}'}", seen=first["msg"]) from error
