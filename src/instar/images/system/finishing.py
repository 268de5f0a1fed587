"""What becomes of a system after apt and dpkg: locales and byte code made, what no guest needs gone."""

import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

from instar.images.store import Progress
from instar.images.system import chroot

GONE = (
    # of this machine, or of this one system only: secrets, names and what a first boot makes
    "etc/hostname", "etc/resolv.conf", "etc/machine-id", "var/lib/dbus/machine-id",
    "etc/ssl/private/*", "etc/ssl/certs/ssl-cert-snakeoil.pem", "etc/ssh/ssh_host_*",
    # databases that packages make on their own
    "var/lib/mysql", "var/lib/mariadb", "var/lib/postgresql/*", "etc/postgresql/*",
    # of the installation
    "etc/apt/sources.list", "etc/apt/preferences.d/*", "etc/dpkg/dpkg.cfg.d/99mmdebstrap",
    "var/lib/apt/lists/*", "var/cache/*/*", "var/backups/*", "var/lib/dpkg/*-old", "etc/*-", "etc/.pwd.lock",
    # locales are made from these, once
    "usr/share/i18n",
    # files of another machine's life
    "dev/*", "run/*", "tmp/*",
)  # fmt: skip
"""What no guest's system holds, as patterns below the root."""


def finish(root: Path, scratch: Path, locales: Sequence[str], progress: Progress) -> None:
    """Make a bootstrapped system ready to be kept."""
    for name in locales:
        progress(f"making locale {name}")
        language, _, charset = name.partition(".")
        chroot.do(root, scratch, ["localedef", "-i", language, "-f", charset or "UTF-8", name])
    progress("compiling Python's library")
    for stale in root.glob("usr/lib/python3*/**/__pycache__"):
        shutil.rmtree(stale)
    library = [f"/{path.relative_to(root)}" for path in sorted(root.glob("usr/lib/python3*"))]
    compile_python(root, scratch, library)
    _strip(root)


def compile_python(root: Path, scratch: Path, folders: Sequence[str]) -> None:
    """Compile Python code with the system's own Python, to byte code that is trusted as it is.

    All files are of one time, so that times would tell nothing.
    """
    options = ["-q", "-f", "--invalidation-mode", "unchecked-hash", "-x", "lib2to3/tests"]
    chroot.do(root, scratch, ["python3", "-IS", "-m", "compileall", *options, *folders])


def _strip(root: Path) -> None:
    for pattern in GONE:
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    for path in (root / "etc/ssl/certs").glob("*"):
        if path.is_symlink() and not path.exists() and path.readlink().name.startswith("ssl-cert-snakeoil"):
            path.unlink()
    for path in root.rglob("*"):
        _calm(root, path)


def _calm(root: Path, path: Path) -> None:
    """Empty a log; take the power to become another user from a program."""
    if path.is_symlink() or not path.is_file():
        return
    if path.is_relative_to(root / "var/log"):
        path.unlink()
    elif path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID):
        path.chmod(stat.S_IMODE(path.stat().st_mode) & 0o777)
