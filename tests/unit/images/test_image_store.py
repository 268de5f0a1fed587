import subprocess
import sys
from pathlib import Path

import pytest

from instar.images import store
from instar.wire.agent import Manifest, Parameter

KNOWN = [Parameter(name="size", type="integer", minimum=1)]


def silent(_: str) -> None:
    pass


def manifest(digest: str = "sha256:ab", built_at: str = "2026-01-01") -> Manifest:
    return Manifest(
        digest=digest,
        recipe="toy-1.0",
        datastore="toy",
        manager="toy",
        engine_version="1.0",
        version_name="1.0",
        agent_version="1",
        built_at=built_at,
    )


def keep(image_dir: Path, image: Manifest) -> Path:
    with store.scratch(image_dir, silent, image.recipe) as scratch:
        (scratch / "tree").mkdir()
        (scratch / "tree/file").write_text("content")
        return store.keep(image_dir, scratch / "tree", image, KNOWN)


def test_a_kept_image_is_found_under_its_digest(tmp_path: Path) -> None:
    place = keep(tmp_path, manifest())
    assert place == tmp_path / "ab" == store.path_of(tmp_path, "sha256:ab")
    assert (place / "tree/file").read_text() == "content"
    assert store.images(tmp_path) == [manifest()]


def test_the_same_image_is_kept_once(tmp_path: Path) -> None:
    keep(tmp_path, manifest())
    keep(tmp_path, manifest(built_at="2026-02-02"))
    assert store.images(tmp_path) == [manifest()]


def test_parameters_lie_beside_the_image_and_are_added_where_they_are_missing(tmp_path: Path) -> None:
    place = keep(tmp_path, manifest())
    assert store.parameters(tmp_path, "sha256:ab") == KNOWN
    (place / store.PARAMETERS).unlink()
    assert store.parameters(tmp_path, "sha256:ab") is None
    keep(tmp_path, manifest())
    assert store.parameters(tmp_path, "sha256:ab") == KNOWN


def test_images_are_listed_newest_first(tmp_path: Path) -> None:
    old, new = manifest(), manifest("sha256:cd", "2026-02-02")
    keep(tmp_path, old)
    keep(tmp_path, new)
    assert store.images(tmp_path) == [new, old]


def test_a_directory_that_is_missing_holds_no_images(tmp_path: Path) -> None:
    assert store.images(tmp_path / "missing") == []


@pytest.mark.parametrize("damage", ["", "{}", '{"digest": 1'])
def test_what_is_not_whole_is_no_image(tmp_path: Path, damage: str) -> None:
    (keep(tmp_path, manifest()) / "manifest.json").chmod(0o644)
    (tmp_path / "ab/manifest.json").write_text(damage)
    assert store.images(tmp_path) == []


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), store.scratch(tmp_path, silent, "toy") as scratch:
        store.keep(tmp_path, scratch / "tree", manifest(), KNOWN)
    assert [path.name for path in tmp_path.iterdir()] == [".lock-toy"]


KILLED = """
import os, signal, sys
from pathlib import Path
from instar.images import store
with store.scratch(Path(sys.argv[1]), print, "toy") as scratch:
    (scratch / "tree").mkdir()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("following", ["toy", "other"])
def test_what_a_killed_build_left_goes_with_the_next_whatever_that_builds(
    tmp_path: Path, following: str
) -> None:
    assert subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False).returncode == -9
    assert list(tmp_path.glob(".build-*/tree"))
    with store.scratch(tmp_path, silent, following) as scratch:
        assert list(tmp_path.glob(".build-*")) == [scratch]


def test_two_things_are_built_at_a_time_and_leave_each_other_alone(tmp_path: Path) -> None:
    with store.scratch(tmp_path, silent, "toy") as one, store.scratch(tmp_path, silent, "toy-2") as two:
        assert one.is_dir()
        assert two.is_dir()


def test_an_image_that_is_a_whole_system_lies_beside_trees_as_an_archive(tmp_path: Path) -> None:
    system = manifest().model_copy(update={"format": "oci", "digest": "sha256:ef"})
    with store.scratch(tmp_path, silent, "toy") as scratch:
        (scratch / "any.tar").write_bytes(b"tar")
        store.keep(tmp_path, scratch / "any.tar", system, KNOWN)
    keep(tmp_path, manifest())
    assert (tmp_path / "ef/rootfs.tar").read_bytes() == b"tar"
    assert {image.format for image in store.images(tmp_path)} == {"tree", "oci"}
    (tmp_path / "ef/rootfs.tar").unlink()
    assert store.images(tmp_path) == [manifest()]


def test_the_default_directory_follows_the_state_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("INSTAR_STATE_DIR", str(tmp_path))
    assert store.default_image_dir() == tmp_path / "images"
