import shutil
from pathlib import Path

import pytest

from instar.images import build
from instar.images.errors import BuildError
from instar.images.recipe import load


def test_somebody_who_is_not_root_is_told_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(BuildError, match="takes root"):
        build(load("mariadb-10.11"), tmp_path / "images")
    assert not (tmp_path / "images").exists()


def test_a_machine_without_mmdebstrap_is_told_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(BuildError, match="apt-get install mmdebstrap"):
        build(load("mariadb-10.11"), tmp_path / "images")
    assert not (tmp_path / "images").exists()
