from pathlib import Path

import pytest

from instar.images import recipe
from instar.wire.errors import BadRequest, NotFound

MINIMAL = """
name = "toy-1.0"
datastore = "toy"
manager = "toy"
engine_version = "1.0"
version_name = "1.0"
[[packages]]
requirement = "toy==1.0"
folders = { "toy/engine" = "usr/lib/toy" }
"""


@pytest.mark.parametrize("name", recipe.shipped())
def test_a_shipped_recipe_is_named_after_its_file_and_checks_its_engine(name: str) -> None:
    loaded = recipe.load(name)
    assert loaded.name == name
    if loaded.system is None:
        assert loaded.engine_version in loaded.checks.values()
    else:
        assert loaded.system.server in loaded.checks


def test_versions_of_all_systems_can_be_registered_side_by_side() -> None:
    loaded = [recipe.load(name) for name in recipe.shipped()]
    systems = [(each.datastore, each.version_name) for each in loaded if each.system is not None]
    assert len(set(systems)) == len(systems)


def test_the_newer_postgresql_carries_the_older_ones_programs() -> None:
    targets = [
        target for package in recipe.load("postgresql-18.6").packages for target in package.folders.values()
    ]
    assert {"usr/lib/postgresql/17", "usr/lib/postgresql/18"} <= set(targets)


def test_a_recipe_is_read_from_a_path(tmp_path: Path) -> None:
    path = tmp_path / "toy.toml"
    path.write_text(MINIMAL)
    assert recipe.load(str(path)).packages[0].folders == {"toy/engine": "usr/lib/toy"}


@pytest.mark.parametrize("name", ["postgresql-9.6", "", "../recipes/postgresql-17.10", "/missing.toml"])
def test_an_unknown_recipe_is_answered_with_the_known_ones(name: str) -> None:
    with pytest.raises(NotFound) as caught:
        recipe.load(name)
    assert "postgresql-17.10" in caught.value.body.remedy


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('name = "toy-1.0"', "", "name"),
        ('name = "toy-1.0"', 'name = "../escape"', "name"),
        ('name = "toy-1.0"', 'name = "toy-1.0"\nengine = 1', "engine"),
        ("toy==1.0", "toy>=1.0", "packages.0.requirement"),
        ("toy==1.0", "--index-url==1.0", "packages.0.requirement"),
        ("usr/lib/toy", "../../etc", "packages.0.folders.toy/engine"),
        ("usr/lib/toy", "/etc", "packages.0.folders.toy/engine"),
    ],
)
def test_a_wrong_recipe_is_refused_naming_the_key(tmp_path: Path, old: str, new: str, key: str) -> None:
    path = tmp_path / "toy.toml"
    path.write_text(MINIMAL.replace(old, new))
    with pytest.raises(BadRequest, match=f"wrong at {key}"):
        recipe.load(str(path))


SYSTEM = """
name = "toy-system"
datastore = "toy"
manager = "toy"
version_name = "1.0"
[system]
debian = "trixie"
packages = ["toy-server"]
server = "usr/sbin/toyd"
"""


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("[system]", 'engine_version = "1.0"\n[system]', "leave it out"),
        ('debian = "trixie"', 'debian = "trixie; rm"', "system.debian"),
        ('"toy-server"', '"--option"', "system.packages.0"),
        ('server = "usr/sbin/toyd"', "", "system.server"),
        ("[system]", '[system]\nexclude = ["/usr/../etc $x"]', "system.exclude.0"),
        ("[system]", '[system]\nlocales = ["de_DE.UTF-8;"]', "system.locales.0"),
        ("[system]", '[system]\nwritable = ["/etc"]', "system.writable.0"),
    ],
)
def test_a_wrong_system_is_refused_naming_the_key(tmp_path: Path, old: str, new: str, key: str) -> None:
    path = tmp_path / "toy.toml"
    path.write_text(SYSTEM)
    assert recipe.load(str(path)).system is not None
    path.write_text(SYSTEM.replace(old, new))
    with pytest.raises(BadRequest, match=key):
        recipe.load(str(path))


def test_a_tree_names_its_version_and_packages(tmp_path: Path) -> None:
    path = tmp_path / "toy.toml"
    path.write_text(MINIMAL.replace('engine_version = "1.0"', ""))
    with pytest.raises(BadRequest, match="names its engine_version"):
        recipe.load(str(path))


def test_what_is_not_toml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "toy.toml"
    path.write_text("name = ")
    with pytest.raises(BadRequest, match="is not TOML"):
        recipe.load(str(path))


def test_a_suffix_stamps_the_agents_version_and_nothing_else() -> None:
    plain = recipe.load("postgresql-17.10")
    assert plain.stamped("+1").model_dump() == {**plain.model_dump(), "agent_suffix": "+1"}
    with pytest.raises(BadRequest, match="agent_suffix"):
        plain.stamped("1; rm -rf /")
