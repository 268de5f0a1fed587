from pathlib import Path

import pytest

from instar.agent.datastores import desire
from instar.agent.datastores.desire import Desire
from instar.agent.datastores.postgresql import conversion, layout
from instar.wire.errors import GuestError


def test_only_whole_data_directories_count(tmp_path: Path) -> None:
    place = layout.Layout(tmp_path, tmp_path, 18, 5432)
    for name in ("17", "18.new", "16.old", "9"):
        (place.clusters / name).mkdir(parents=True)
        (place.clusters / name / "PG_VERSION").touch()
    (place.clusters / "18").mkdir()
    assert place.majors() == [9, 17]


def test_socket_directory_is_private_and_its_path_short_enough(tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / ("x" * 100)):
        path = layout.Layout(root, root, 18, 5432).sockets()
        assert len(str(path / ".s.PGSQL.5432")) <= layout.LONGEST_SOCKET_PATH
        assert path.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(("version", "major"), [("17.10", 17), ("18.6", 18), ("18", 18)])
def test_major_version(version: str, major: int) -> None:
    assert layout.major_of(version) == major


@pytest.mark.parametrize("version", ["", "mariadb", ".5"])
def test_version_that_is_none(version: str) -> None:
    with pytest.raises(GuestError, match="not a version"):
        layout.major_of(version)


def test_desire_is_remembered(tmp_path: Path) -> None:
    assert desire.read(tmp_path) is Desire.NOTHING
    desire.write(tmp_path, Desire.UPGRADING)
    assert desire.read(tmp_path) is Desire.UPGRADING


def test_what_link_mode_does_to_the_old_directory_is_undone(tmp_path: Path) -> None:
    (tmp_path / "global").mkdir()
    (tmp_path / "global/pg_control.old").write_text("control")
    conversion.put_back(tmp_path)
    conversion.put_back(tmp_path)
    assert [path.name for path in (tmp_path / "global").iterdir()] == ["pg_control"]
