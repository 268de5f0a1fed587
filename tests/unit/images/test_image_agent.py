from pathlib import Path

import pytest

from instar.images import guest_agent, tree
from instar.images.interpreter import choose


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("image") / "tree")


def install(root: Path) -> Path:
    """Put in the agent beside no packages but one."""
    packages = root.parent / "packages"
    (packages / "bin").mkdir(parents=True)
    (packages / "toy.py").write_text("names = {'a', 'b', 'c'}\n")
    tree.begin(root)
    guest_agent.install(root, packages, choose(), "1.0+1")
    return root


def test_the_agent_needs_neither_the_client_nor_the_control_plane(root: Path) -> None:
    rooms = {
        path.name for path in (root / guest_agent.FOLDER / "instar").iterdir() if path.name != "__pycache__"
    }
    assert rooms == {"__init__.py", "py.typed", "wire", "agent"}
    needed = " ".join(guest_agent.requirements())
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
