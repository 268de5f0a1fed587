import shutil
import zipfile
from pathlib import Path

import pytest

from instar.images import agent_source, guest_agent, tree
from instar.images.interpreter import choose
from instar.wire.errors import BadRequest

FROZEN = Path(__file__).parents[2] / "fixtures/agent-0.0.9.zip"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("image") / "tree")


def install(root: Path) -> Path:
    """Put in the agent beside no packages but one."""
    packages = root.parent / "packages"
    (packages / "bin").mkdir(parents=True)
    (packages / "toy.py").write_text("names = {'a', 'b', 'c'}\n")
    tree.begin(root)
    guest_agent.install(root, packages, choose(), agent_source.read(FROZEN), "1.0+1")
    guest_agent.compile_here(root, choose())
    return root


def test_the_agent_needs_neither_the_client_nor_the_control_plane(root: Path) -> None:
    rooms = {
        path.name for path in (root / guest_agent.FOLDER / "instar").iterdir() if path.name != "__pycache__"
    }
    assert rooms == {"__init__.py", "py.typed", "wire", "agent"}
    needed = " ".join(agent_source.own().requirements)
    assert "pydantic" in needed
    assert "psycopg[binary]" in needed
    assert "cliff" not in needed
    assert "SQLAlchemy" not in needed


def test_the_agent_knows_its_version_and_its_datastores_from_the_image(root: Path) -> None:
    info = root / guest_agent.FOLDER / "instar-1.0+1.dist-info"
    assert "Version: 1.0+1" in (info / "METADATA").read_text()
    assert "postgresql = instar.agent.datastores.postgresql" in (info / "entry_points.txt").read_text()


def test_two_installations_are_the_same_to_the_byte(root: Path, tmp_path: Path) -> None:
    again = install(tmp_path / "a longer name" / "tree")
    tree.seal(root)
    tree.seal(again)
    assert tree.digest(again) == tree.digest(root)


def test_an_agent_of_another_release_brings_its_own_needs_version_and_datastores() -> None:
    older = agent_source.read(FROZEN)
    assert older.version == "0.0.9"
    assert "postgresql = instar.agent.datastores.postgresql.datastore:PostgreSQL" in older.entry_points
    assert any(need.startswith("psycopg") for need in older.requirements)
    assert {"instar/__init__.py", "instar/wire/agent.py", "instar/agent/main.py"} <= set(older.files)
    assert older.digest != agent_source.own().digest


def test_a_folder_and_a_zip_of_the_same_agent_are_the_same(tmp_path: Path) -> None:
    with zipfile.ZipFile(FROZEN) as archive:
        archive.extractall(tmp_path)
    assert agent_source.read(tmp_path) == agent_source.read(FROZEN)


@pytest.mark.parametrize("missing", ["instar/wire", "instar/agent", "instar-0.0.9.dist-info"])
def test_what_holds_no_agent_is_refused_saying_what_is_missing(tmp_path: Path, missing: str) -> None:
    with zipfile.ZipFile(FROZEN) as archive:
        archive.extractall(tmp_path)
    shutil.rmtree(tmp_path / missing)
    with pytest.raises(BadRequest, match="holds no agent") as caught:
        agent_source.read(tmp_path)
    assert missing.partition("-0")[0] in caught.value.body.seen
