from pathlib import Path

from instar.images import extensions, recipe


def test_extensions_are_those_of_the_recipes_own_engine(tmp_path: Path) -> None:
    made = recipe.load("postgresql-18.6")
    fetched = [tmp_path / str(number) for number in range(len(made.packages))]
    for folder, package, version in zip(fetched, made.packages, ("1.6", "1.5"), strict=True):
        controls = folder / next(iter(package.folders)) / "share/extension"
        controls.mkdir(parents=True)
        (controls / "pg_trgm.control").write_text(
            f"# trigrams\ncomment = 'x'\ndefault_version = '{version}'\n"
        )
        (controls / "pg_trgm--1.0.control").write_text("default_version = '9'\n")
        (controls / "odd.control").write_text("comment = 'tells no version'\n")
    assert extensions.offered(made, fetched) == {"pg_trgm": "1.6"}


def test_engine_without_control_files_offers_none(tmp_path: Path) -> None:
    made = recipe.load("postgresql-17.10")
    assert extensions.offered(made, [tmp_path for _ in made.packages]) == {}
