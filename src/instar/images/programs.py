"""Programs of an image, run while it is built as guests will: without our libraries, paths and powers."""

import os
import pwd
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from instar.images.errors import BuildError


class Programs(Protocol):
    """A finished root's programs, and a place for what they write."""

    root: Path

    @property
    def place(self) -> str:
        """A folder that is theirs, as they see it."""

    def run(self, program: str, *options: str, told: str = "") -> "subprocess.CompletedProcess[str]":
        """Run a program named by its path below the root, whatever its exit status. Raises BuildError."""

    def read(self, name: str) -> str:
        """Read a file of the place."""

    def write(self, name: str, text: str) -> None:
        """Put a file into the place, for all to read."""


class OfATree:
    """Programs of a tree: they run on the host, as guests of the local provider do."""

    def __init__(self, root: Path, scratch: Path) -> None:
        self.root, self._scratch = root, scratch
        self.place = str(scratch)
        if os.geteuid() == 0:
            os.chown(scratch, *_nobody())

    def run(self, program: str, *options: str, told: str = "") -> "subprocess.CompletedProcess[str]":
        """Run a program as somebody who is neither root nor without a name: engines insist on both."""
        bare = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
        argv = [*_as_somebody(), str(self.root / program), *options]
        try:
            return subprocess.run(
                argv, input=told, env=bare, capture_output=True, text=True, timeout=120, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BuildError(f"The image's program {program} can't be run", seen=str(error)) from error

    def read(self, name: str) -> str:
        """Read what a program wrote into the place."""
        with (self._scratch / name).open(encoding="utf-8", newline="") as file:
            return file.read()

    def write(self, name: str, text: str) -> None:
        """Put a file into the place."""
        (self._scratch / name).write_text(text, encoding="utf-8")


def check(programs: Programs, program: str, expected: str, option: str = "--version") -> str:
    """Run a program with an option and give what it says, which must hold `expected`. Raises BuildError."""
    name, done = Path(program).name, programs.run(program, option)
    if done.returncode != 0 or expected not in done.stdout:
        raise BuildError(
            f"The image's program {name} does not work as the recipe says",
            seen=f"exit status {done.returncode}: {(done.stdout + done.stderr).strip()[-500:]}",
            remedy=f"Expected exit status 0 and {expected or 'its help'}; mend the recipe.",
        )
    return done.stdout


def _nobody() -> tuple[int, int]:
    entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid


def _as_somebody() -> Iterable[str]:
    """Give the words before a command: another user, who may still walk through folders that are private, and
    has and gains no other power of root's.

    Programs ask by access(2), too, whether they may; it heeds what the user may beyond others only with
    `no_setuid_fixup`.
    """
    if os.geteuid() == 0:
        uid, gid = _nobody()
        who = f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--no-new-privs"
        sets = ("bounding-set", "inh-caps", "ambient-caps")
        may = [f"--{each}=-all,+dac_read_search" for each in sets]
        return ["setpriv", *who, *may, "--securebits=+no_setuid_fixup", "--"]
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        uid, gid = _nobody()
        return ["unshare", "--user", f"--map-user={uid}", f"--map-group={gid}", "--"]
    return []
