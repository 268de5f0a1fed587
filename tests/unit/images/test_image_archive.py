import hashlib
import os
import tarfile
from pathlib import Path

from instar.images.system import archive


def make(root: Path) -> Path:
    (root / "etc").mkdir(parents=True)
    (root / "etc/b").write_text("b")
    os.link(root / "etc/b", root / "etc/a")
    (root / "run/left").mkdir(parents=True)
    (root / "bin").symlink_to("usr/bin")
    return root


def test_the_same_files_make_the_same_archive_whenever_and_in_whatever_order(tmp_path: Path) -> None:
    one, other = make(tmp_path / "one"), tmp_path / "other"
    (other / "run").mkdir(parents=True)
    (other / "bin").symlink_to("usr/bin")
    (other / "etc").mkdir()
    (other / "etc/a").write_text("b")
    os.link(other / "etc/a", other / "etc/b")
    os.utime(other / "etc/a", (1, 1))
    digest = archive.pack(one, tmp_path / "one.tar")
    assert archive.pack(other, tmp_path / "other.tar") == digest
    assert digest == f"sha256:{hashlib.sha256((tmp_path / 'one.tar').read_bytes()).hexdigest()}"


def test_an_archive_holds_no_files_of_a_running_machine(tmp_path: Path) -> None:
    archive.pack(make(tmp_path / "root"), tmp_path / "root.tar")
    with tarfile.open(tmp_path / "root.tar") as tar:
        names = {name.removeprefix("./") for name in tar.getnames()}
    assert names == {".", "bin", "etc", "etc/a", "etc/b", "run"}


def test_what_was_packed_is_laid_out_again(tmp_path: Path) -> None:
    digest = archive.pack(make(tmp_path / "root"), tmp_path / "root.tar")
    archive.unpack(tmp_path / "root.tar", tmp_path / "again")
    assert archive.pack(tmp_path / "again", tmp_path / "again.tar") == digest
