import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from guest_images import Images
from instar.images import build, store, tree
from instar.images.errors import BuildError
from instar.images.recipe import load
from instar.wire.agent import IMAGE_MANIFEST, Manifest

pytestmark = pytest.mark.live


def tree_of(images: Images, manifest: Manifest) -> Path:
    return store.path_of(images.image_dir, manifest.digest) / "tree"


def test_the_digest_is_that_of_the_tree(images: Images) -> None:
    for manifest in (images.old, images.new, images.new_agent):
        assert tree.digest(tree_of(images, manifest)) == manifest.digest


def test_an_image_says_of_itself_what_its_manifest_says(images: Images) -> None:
    inside = Manifest.model_validate_json((tree_of(images, images.new) / IMAGE_MANIFEST).read_bytes())
    assert inside == images.new.model_copy(update={"digest": "", "built_at": ""})


def test_the_same_inputs_make_the_same_image_anywhere(images: Images, tmp_path: Path) -> None:
    assert build(load("postgresql-17.10"), tmp_path / "elsewhere").digest == images.old.digest


def test_an_image_is_built_once(images: Images) -> None:
    said: list[str] = []
    assert build(load("postgresql-17.10"), images.image_dir, said.append) == images.old
    assert said == ["nothing has changed since it was built"]


def test_another_agent_makes_another_image_with_the_same_engine(images: Images) -> None:
    old, new = images.old, images.new_agent
    assert new.agent_version == f"{old.agent_version}+1"
    assert new.digest != old.digest
    engines = (tree.digest(tree_of(images, each) / "usr/lib/postgresql") for each in (old, new))
    assert len(set(engines)) == 1


def test_nothing_outside_etc_can_be_written_to(images: Images) -> None:
    root = tree_of(images, images.new)
    writable = [
        path for path in root.rglob("*") if path.is_file() and stat.S_IMODE(path.lstat().st_mode) & 0o222
    ]
    assert writable == [root / IMAGE_MANIFEST]


@pytest.mark.parametrize(
    "program", ["initdb", "pg_ctl", "pg_upgrade", "psql", "vacuumdb", "pg_dump", "pg_controldata"]
)
def test_every_program_that_an_upgrade_needs_runs_from_the_tree(images: Images, program: str) -> None:
    path = tree_of(images, images.new) / "usr/lib/postgresql/18/bin" / program
    done = subprocess.run([path, "--version"], env={}, capture_output=True, text=True, check=False)
    assert "18.6" in done.stdout, done.stderr


def test_the_agent_starts_from_a_moved_copy_as_any_user(
    images: Images, tmp_path_factory: pytest.TempPathFactory
) -> None:
    launcher = tree_of(images, images.old) / "usr/bin/instar-guest-agent"
    other = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    done = subprocess.run(
        [launcher, "--help"], env={}, cwd="/", capture_output=True, text=True, check=False, **other
    )
    assert done.returncode == 0, done.stderr
    assert "--root" in done.stdout


def test_an_image_whose_programs_are_not_as_promised_is_not_kept(tmp_path: Path) -> None:
    wrong = load("postgresql-17.10").model_copy(
        update={"checks": {"usr/lib/postgresql/17/bin/postgres": "17.99"}}
    )
    with pytest.raises(BuildError, match=r"postgres .*17\.10.*17\.99"):
        build(wrong, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".lock-postgresql-17.10"]


def test_a_build_that_was_killed_leaves_no_image_and_the_next_one_is_whole(
    images: Images, tmp_path: Path
) -> None:
    script = "import sys; from pathlib import Path; from instar.images import build; "
    script += "from instar.images.recipe import load; build(load('postgresql-17.10'), Path(sys.argv[1]))"
    builder = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)])
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".build-*/tree/usr/lib/postgresql/17/bin/psql")):
        assert time.monotonic() < deadline
        assert builder.poll() is None
        time.sleep(0.001)
    builder.send_signal(signal.SIGKILL)
    assert builder.wait() == -signal.SIGKILL
    assert store.images(tmp_path) == []
    assert build(load("postgresql-17.10"), tmp_path).digest == images.old.digest
    assert not list(tmp_path.glob(".build-*"))
