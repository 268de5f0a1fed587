"""Option files on their way from root disk to root disk."""

import hashlib
from pathlib import Path

import pytest

from instar.agent.datastores.mariadb.dialect import MARIADB
from instar.agent.datastores.mysql_family import carrying, configuration
from instar.agent.datastores.mysql_family.carrying import Folder
from instar.agent.datastores.mysql_family.layout import Layout
from instar.wire.errors import GuestError

SERVER, CLIENT = "mariadb.conf.d/50-server.cnf", "mariadb.conf.d/50-client.cnf"
OURS = f"mariadb.conf.d/{configuration.OURS}"


def disk(place: Path, **packaged: str) -> Folder:
    """Make a root disk with a package's files, and dpkg's note of them."""
    layout = Layout(place, place / "volume")
    lines = ["Package: mariadb-server", "Conffiles:"]
    for name, text in {"mariadb.cnf": "# main\n", **packaged}.items():
        configuration.put(layout.configuration / name, text)
        lines.append(f" /etc/mysql/{name} {hashlib.md5(text.encode()).hexdigest()}")
    (place / "var/lib/dpkg").mkdir(parents=True)
    (place / "var/lib/dpkg/status").write_text("\n".join(lines) + "\n")
    return Folder(layout, MARIADB)


def test_the_administrators_files_cross_and_packages_own_give_way(tmp_path: Path) -> None:
    old = disk(tmp_path / "old", **{SERVER: "[mysqld]\nold=1\n", CLIENT: "[client]\n", "gone.cnf": "x\n"})
    (old.path / CLIENT).write_text("[client]\nchanged=1\n")
    (old.path / "mariadb.conf.d/60-mine.cnf").write_text("[mysqld]\nmine=1\n")
    (old.path / "mariadb.conf.d/60-mine.cnf").chmod(0o640)
    (old.path / OURS).write_text("[mysqld]\nours=1\n")
    (old.path / "mariadb.conf.d" / configuration.DEFAULTS).write_text("generated")
    (old.path / "gone.cnf").unlink()
    (old.path / "my.cnf").symlink_to("mariadb.cnf")
    carrying.save(old, tmp_path / "saved")
    new = disk(tmp_path / "new", **{SERVER: "[mysqld]\nnew=1\n", CLIENT: "[client]\n#\n", "gone.cnf": "x\n"})
    told = carrying.restore(new, tmp_path / "saved")
    found = {str(path.relative_to(new.path)) for path in new.path.rglob("*") if not path.is_dir()}
    assert found == {"mariadb.cnf", "my.cnf", SERVER, CLIENT, "mariadb.conf.d/60-mine.cnf", OURS}
    assert (new.path / SERVER).read_text() == "[mysqld]\nnew=1\n"
    assert (new.path / CLIENT).read_text() == "[client]\nchanged=1\n"
    assert (new.path / "mariadb.conf.d/60-mine.cnf").stat().st_mode & 0o777 == 0o640
    assert (new.path / OURS).read_text() == "[mysqld]\nours=1\n"
    assert (new.path / "my.cnf").readlink() == Path("mariadb.cnf")
    assert [CLIENT in finding.seen for finding in told] == [True]


def test_what_is_mended_on_the_new_disk_stays_when_the_arrival_is_repeated(tmp_path: Path) -> None:
    old = disk(tmp_path / "old")
    (old.path / "conf.d").mkdir()
    (old.path / "conf.d/mine.cnf").write_text("[mysqld]\nbad=1\n")
    carrying.save(old, tmp_path / "saved")
    new = disk(tmp_path / "new")
    carrying.restore(new, tmp_path / "saved")
    (new.path / "conf.d/mine.cnf").write_text("[mysqld]\n")
    carrying.restore(new, tmp_path / "saved")
    assert (new.path / "conf.d/mine.cnf").read_text() == "[mysqld]\n"
    third = disk(tmp_path / "third")
    carrying.restore(third, tmp_path / "saved")
    assert (third.path / "conf.d/mine.cnf").read_text() == "[mysqld]\nbad=1\n"


def test_later_save_replaces_the_one_before(tmp_path: Path) -> None:
    old = disk(tmp_path / "old")
    (old.path / "a.cnf").write_text("1")
    carrying.save(old, tmp_path / "saved")
    first = carrying.saved(tmp_path / "saved").id
    carrying.save(old, tmp_path / "saved")
    assert carrying.saved(tmp_path / "saved").id == first
    (old.path / "a.cnf").rename(old.path / "b.cnf")
    carrying.save(old, tmp_path / "saved")
    new = disk(tmp_path / "new")
    carrying.restore(new, tmp_path / "saved")
    assert (new.path / "b.cnf").exists()
    assert not (new.path / "a.cnf").exists()


def test_nothing_saved_changes_nothing(tmp_path: Path) -> None:
    new = disk(tmp_path / "new")
    assert carrying.restore(new, tmp_path / "saved") == []


def test_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = disk(tmp_path / "old")
    secret = old.path / "secret.cnf"
    secret.write_text("x")

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(GuestError, match="can't be read"):
        carrying.save(old, tmp_path / "saved")
