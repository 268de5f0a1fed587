"""Which Python runs the agent of a guest: for the local provider, one that the guest's own user can reach."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from instar.images.errors import BuildError

_OLDEST = (3, 11)
_OLDEST_LIBC = 17
"""Wheels for older C libraries than 2.17 are not made any more."""
_PROBE = "import ssl, sys; print(*sys.version_info[:3], sep='.')"
SYSTEM = "/usr/bin/python3"


@dataclass(frozen=True)
class Interpreter:
    """A Python: the real path of its program, and its full version.

    Of one inside another system, `platforms` are the tags of wheels that run there.
    """

    path: str
    version: str
    platforms: tuple[str, ...] = ()


def of_system(version: str, glibc: str) -> Interpreter:
    """Describe the Python of a system, by its version and its C library's."""
    newest, machine = int(glibc.split(".")[1]), os.uname().machine
    tags = [f"manylinux_2_{minor}_{machine}" for minor in range(newest, _OLDEST_LIBC - 1, -1)]
    return Interpreter(SYSTEM, version, (*tags, f"manylinux2014_{machine}", f"linux_{machine}"))


def choose() -> Interpreter:
    """Find the interpreter that local guests are started with.

    Servers run under users of their own when the control plane is root, so one that everybody can reach comes
    first; an interpreter in a private folder will do for a control plane that isn't root.
    """
    own = os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
    candidates = [path for path in (own, os.path.realpath(SYSTEM)) if _reachable_by_all(Path(path))]
    if os.geteuid() != 0:
        candidates.append(own)
    for path in candidates:
        version = _version(path)
        if version is not None:
            return Interpreter(path, version)
    raise BuildError(
        "No Python is fit to run guests",
        seen=f"{own} can't be reached by other users, and {SYSTEM} is missing or older than 3.11",
        remedy="Install Python 3.11 or newer for all users (apt-get install python3), then build again.",
    )


def _reachable_by_all(program: Path) -> bool:
    """Tell whether any user may walk to the program and run it."""
    return program.is_file() and all(path.stat().st_mode & 0o001 for path in (program, *program.parents))


def _version(path: str) -> str | None:
    """Ask the interpreter for its version; None when it doesn't run, is too old or lacks TLS."""
    probe = subprocess.run([path, "-IS", "-c", _PROBE], capture_output=True, text=True, check=False)
    version = probe.stdout.strip()
    if probe.returncode != 0 or tuple(map(int, version.split(".")[:2])) < _OLDEST:
        return None
    return version
