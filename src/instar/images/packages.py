"""Python packages for images, fetched with pip once and kept unpacked in a cache."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from instar.images import store
from instar.images.errors import BuildError
from instar.images.interpreter import Interpreter
from instar.images.store import Progress

_PIP = ("--no-input", "--disable-pip-version-check", "--no-color", "--quiet", "--root-user-action=ignore")
# pip keeps run bits, which a plain unzip loses. Byte code is compiled later, reproducibly.
_INSTALL = ("--no-compile", "--no-warn-conflicts", "--only-binary=:all:")


def cache_dir() -> Path:
    """Where fetched packages are kept: INSTAR_CACHE_DIR, or instar/ in the user's cache."""
    own = os.environ.get("INSTAR_CACHE_DIR")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "instar"


def fetch(
    requirements: Sequence[str],
    interpreter: Interpreter,
    progress: Progress,
    *,
    dependencies: bool = False,
    fresh: bool = False,
) -> Path:
    """Give a folder with the packages unpacked, as on a path for imports; from the cache unless `fresh`.

    What was fetched once stays as it was, so that the same inputs make the same image. Raises BuildError.
    """
    kept = cache_dir() / "packages" / _key(requirements, interpreter, dependencies)
    if kept.is_dir() and not fresh:
        return kept
    with store.scratch(kept.parent, progress, kept.name) as scratch:
        if kept.is_dir() and not fresh:  # by another build, meanwhile
            return kept
        progress(f"fetching {', '.join(requirements)}")
        target = scratch / "packages"
        _pip(interpreter, [*([] if dependencies else ["--no-deps"]), "--target", str(target), *requirements])
        shutil.rmtree(kept, ignore_errors=True)
        target.rename(kept)
    return kept


def versions(folder: Path) -> dict[str, str]:
    """Tell which packages a fetched folder holds, each with its exact version."""
    found = metadata.distributions(path=[str(folder)])
    return {
        each.metadata["Name"]: each.version for each in sorted(found, key=lambda each: each.metadata["Name"])
    }


def _key(requirements: Sequence[str], interpreter: Interpreter, dependencies: bool) -> str:
    release = interpreter.version.rpartition(".")[0]
    inputs = [sorted(requirements), release, os.uname().machine, dependencies, *interpreter.platforms]
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:24]


def _pip(interpreter: Interpreter, arguments: Sequence[str]) -> None:
    """Run pip for the guest's interpreter, so that wheels match it."""
    pip = [sys.executable, "-m", "pip", *([] if interpreter.platforms else ["--python", interpreter.path])]
    done = subprocess.run(
        [*pip, "install", *_PIP, *_INSTALL, *_elsewhere(interpreter), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return
    said = done.stderr.splitlines() or [f"exit status {done.returncode}"]
    errors = " ".join([line for line in said if line.startswith("ERROR")] or said[-3:])
    if "No module named pip" in done.stderr:
        raise BuildError("pip is missing", seen=errors, remedy="Install it: pip install 'instar[images]'.")
    full = "No space left" in done.stderr
    raise BuildError(
        f"pip could not fetch {arguments[-1]}",
        seen=errors,
        remedy="Free some space." if full else "Check the network and pip's package index, then build again.",
        retryable=not full,
    )


def _elsewhere(interpreter: Interpreter) -> list[str]:
    """Tell pip of an interpreter that it can't ask: one inside another system."""
    if not interpreter.platforms:
        return []
    release = interpreter.version.rpartition(".")[0]
    platforms = [f"--platform={each}" for each in interpreter.platforms]
    return ["--implementation=cp", f"--python-version={release}", *platforms]
