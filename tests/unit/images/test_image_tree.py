import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from instar.images import tree


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make(tmp_path / "tree")


def make(root: Path) -> Path:
    tree.begin(root)
    (root / "usr/bin/program").write_text("#!/bin/sh\n")
    (root / "usr/bin/program").chmod(0o700)
    (root / "usr/bin/data").write_text("data")
    (root / "usr/bin/link").symlink_to("program")
    (root / "etc/instar/image.json").write_text("{}")
    tree.seal(root)
    return root


def test_equal_trees_have_equal_digests_wherever_they_lie(root: Path, tmp_path: Path) -> None:
    assert tree.digest(root) == tree.digest(make(tmp_path / "elsewhere" / "other"))
    assert tree.digest(root).startswith("sha256:")


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "usr/bin/data").chmod(0o555),
        lambda root: (root / "etc/instar/image.json").write_text("[]"),
        lambda root: (root / "usr/bin/data").rename(root / "usr/bin/date"),
        lambda root: (root / "run/empty").mkdir(),
        lambda root: ((root / "usr/bin/link").unlink(), (root / "usr/bin/link").symlink_to("data")),
        lambda root: ((root / "usr/bin/data").unlink(), (root / "usr/bin/data").mkdir()),
    ],
    ids=["mode", "content", "name", "folder", "link", "kind"],
)
def test_any_change_changes_the_digest(root: Path, change: Callable[[Path], object]) -> None:
    before = tree.digest(root)
    change(root)
    assert tree.digest(root) != before


def test_a_sealed_file_can_be_read_by_all_and_written_by_none_outside_etc(root: Path) -> None:
    modes = {
        path.relative_to(root).as_posix(): stat.S_IMODE(path.lstat().st_mode) for path in root.rglob("*")
    }
    assert modes["usr/bin/program"] == 0o555
    assert modes["usr/bin/data"] == 0o444
    assert modes["etc/instar/image.json"] == 0o644
    assert modes["run"] == 0o755


def test_what_a_guest_has_no_use_for_is_left_out(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in (
        "bin/postgres",
        "bin/ecpg",
        "lib/libpq.so.5",
        "lib/libpq.a",
        "lib/pgxs/src/Makefile",
        "include/c.h",
    ):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).touch()
    tree.add(source, tmp_path / "tree")
    kept = {path.relative_to(tmp_path / "tree").as_posix() for path in (tmp_path / "tree").rglob("*")}
    assert kept == {"bin", "bin/postgres", "lib", "lib/libpq.so.5"}
