"""mmdebstrap, which has apt install packages of one or more Debian releases into a folder."""

import os
import subprocess
import time
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path

from instar.images.errors import BuildError
from instar.images.recipe import System
from instar.images.store import Progress
from instar.images.system.archive import EPOCH

ALWAYS = ("python3", "s6", "locales", "tzdata")
"""What every guest needs: for the agent, for its init, and for text and time."""

_LEFT_OUT = (
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/share/lintian/*",
)
_KEPT = ("/usr/share/doc/*/copyright", "/usr/share/locale/locale.alias")
_OFTEN = 10.0
"""Seconds between two words on what is being installed."""


_APART = (
    *("setpriv", "--pdeathsig=KILL", "unshare", "--mount", "--pid"),
    *("--fork", "--kill-child", "--mount-proc"),
)
"""Name spaces of its own: what it mounts and starts goes with it, however it or its caller ends."""


def options(system: System) -> list[str]:
    """Give the options that decide what is installed."""
    wanted = [*ALWAYS, *system.packages, *(name for each in system.foreign for name in each.packages)]
    return [
        "--mode=root",
        "--variant=minbase",
        "--format=directory",
        "--verbose",
        f"--include={','.join(wanted)}",
        "--dpkgopt=force-unsafe-io",
        *(f"--dpkgopt=path-exclude={path}" for path in (*_LEFT_OUT, *system.exclude)),
        *(f"--dpkgopt=path-include={path}" for path in _KEPT),
    ]


def run(options: Sequence[str], release: str, root: Path, sources: Sequence[str], progress: Progress) -> None:
    """Install a release into a new folder; `sources` are lines of apt's. Raises BuildError."""
    with subprocess.Popen(
        [*_APART, "mmdebstrap", *options, release, str(root), *sources],
        env={**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH), "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as making:
        try:
            said = _follow(making.stdout or (), progress)
            status = making.wait()
        finally:
            making.kill()
    if status != 0:
        wrong = [line for line in said if line.startswith(("E:", "W:", "dpkg: error"))] or said[-5:]
        raise BuildError(
            f"Debian {release} could not be installed",
            seen=" ".join(wrong)[-1500:],
            remedy="Check the network, the names of the packages and the free space, then build again.",
            retryable=True,
        )


def _follow(lines: Iterable[str], progress: Progress) -> list[str]:
    """Tell what is being done: each stage, and now and then a package; gives the last lines."""
    said: deque[str] = deque(maxlen=40)
    told = 0.0
    for line in lines:
        said.append(line.rstrip())
        if (words := _words(line)) and (line.startswith("I:") or time.monotonic() > told + _OFTEN):
            progress(words)
            told = time.monotonic()
    return list(said)


def _words(line: str) -> str:
    """Put a line of mmdebstrap's or dpkg's into words; empty when it tells nothing."""
    first, _, rest = line.strip().partition(" ")
    if first == "I:":
        return rest.rstrip(".")
    if first in ("Unpacking", "Setting") and rest:
        return line.strip().split(" (")[0].rstrip(". ").lower()
    return ""
