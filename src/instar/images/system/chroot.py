"""Programs of a system, run inside it while it is built: no host files, processes or network in reach."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from instar.images.errors import BuildError

NOBODY = 65534
"""The user `nobody` of every Debian system."""

_APART = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--net", "--ipc", "--uts", "--")
"""Name spaces of their own: the mounts below go with the last process, and all processes with the first."""

_ENTER = """\
set -eu
root=$1 scratch=$2
shift 2
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=0755 dev "$root/dev"
for node in null zero full random urandom; do
    : >"$root/dev/$node"
    mount --bind "/dev/$node" "$root/dev/$node"
done
ln -s /proc/self/fd "$root/dev/fd"
mkdir -m 1777 "$root/dev/shm"
mount -t tmpfs -o mode=1777 run "$root/run"
mount --bind "$scratch" "$root/tmp"
cd "$root"
# This shell stays: it goes with whoever called, while what becomes another user would not.
status=0
chroot "$root" "$@" || status=$?
exit "$status"
"""
_POWERLESS = (
    "--clear-groups",
    "--no-new-privs",
    "--bounding-set=-all",
    "--inh-caps=-all",
    "--ambient-caps=-all",
)
_BARE = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/tmp", "PYTHONHASHSEED": "0"}  # noqa: S108


def run(
    root: Path, scratch: Path, argv: Sequence[str], told: str = "", *, user: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program inside a system whatever its exit status; `scratch` is its /tmp.

    With `user`, it is that user, and has no power beyond. Raises BuildError when it can't be run or hangs.
    """
    somebody = [] if user is None else ["setpriv", f"--reuid={user}", f"--regid={user}", *_POWERLESS, "--"]
    way = ["setpriv", "--pdeathsig=KILL", *_APART, "sh", "-c", _ENTER, "enter", str(root), str(scratch)]
    try:
        return subprocess.run(
            [*way, *somebody, *argv], input=told, env=_BARE, capture_output=True, text=True, errors="replace",
            timeout=300, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(f"The image's program {argv[0]} can't be run", seen=str(error)) from error


def do(root: Path, scratch: Path, argv: Sequence[str], told: str = "") -> str:
    """Run a program inside a system as root and give what it says. Raises BuildError when it fails."""
    done = run(root, scratch, argv, told)
    if done.returncode != 0:
        raise BuildError(
            f"The image's program {argv[0]} failed",
            seen=f"exit status {done.returncode}: {(done.stdout + done.stderr).strip()[-1000:]}",
            remedy="Mend the recipe, then build again.",
        )
    return done.stdout


class Inside:
    """Programs of a finished system, run by an ordinary user without powers; fulfils `programs.Programs`."""

    place = "/tmp"  # noqa: S108 - as they see it

    def __init__(self, root: Path, scratch: Path) -> None:
        self.root, self._scratch = root, scratch
        os.chown(scratch, NOBODY, NOBODY)

    def run(self, program: str, *options: str, told: str = "") -> subprocess.CompletedProcess[str]:
        """Run a program named by its path below the root."""
        return run(self.root, self._scratch, [f"/{program}", *options], told, user=NOBODY)

    def read(self, name: str) -> str:
        """Read what a program wrote into the place; a link is not followed."""
        handle = os.open(self._scratch / name, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(handle, encoding="utf-8", newline="") as file:
            return file.read()

    def write(self, name: str, text: str) -> None:
        """Put a file into the place, before any program has."""
        (self._scratch / name).write_text(text, encoding="utf-8")
