"""The guest agent as a part of an image: the code of this very Instar, and the packages that it needs."""

import hashlib
import os
import shlex
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

import instar
from instar.images import tree
from instar.images.errors import BuildError
from instar.images.interpreter import Interpreter

FOLDER = "usr/lib/instar/agent"
LAUNCHER = "usr/bin/instar-guest-agent"
_ROOMS = ("wire", "agent")
_PLUGINS = "instar.datastores"

# Isolated and without site: the agent sees its own folder and the standard library only, and starts sooner.
_LAUNCHER = """\
#!/bin/sh
exec {interpreter} -IBS "${{0%/*}}/../lib/instar/agent/__main__.py" "$@"
"""
_MAIN = """\
import os.path
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from instar.agent.main import main

sys.exit(main())
"""


def requirements() -> list[str]:
    """List what the agent needs, as this installation's metadata tells it."""
    wanted = (each.partition(";") for each in metadata.requires("instar") or [])
    return sorted(
        name.strip() for name, _, marker in wanted if 'extra == "agent"' in marker.replace("'", '"')
    )


def sources() -> str:
    """Give the digest of all that we put into images ourselves: the agent's code, and the way there."""
    whole = hashlib.sha256(_entry_points().encode())
    for name, path in _code(*_ROOMS, "images"):
        whole.update(b"%s\0%s\n" % (name.encode(), hashlib.sha256(path.read_bytes()).hexdigest().encode()))
    return f"sha256:{whole.hexdigest()}"


def install(root: Path, packages: Path, interpreter: Interpreter, version: str) -> None:
    """Put the agent into a tree: packages, code, metadata and launcher; compiled, without time stamps."""
    folder = root / FOLDER
    tree.add(packages, folder)
    shutil.rmtree(folder / "bin", ignore_errors=True)
    for name, source in _code(*_ROOMS):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / name)
    _describe(folder / f"instar-{version}.dist-info", version)
    (folder / "__main__.py").write_text(_MAIN, encoding="utf-8")
    _compile(root, interpreter)
    launcher = root / LAUNCHER
    launcher.write_text(_LAUNCHER.format(interpreter=shlex.quote(interpreter.path)), encoding="utf-8")
    launcher.chmod(0o755)


def _code(*rooms: str) -> list[tuple[str, Path]]:
    """List the files of some of our rooms: where each goes below the agent's folder, and where it is here."""
    home = Path(instar.__file__).parent
    found = [home / "__init__.py", home / "py.typed"]
    for room in rooms:
        found += (
            path for path in (home / room).rglob("*") if path.is_file() and "__pycache__" not in path.parts
        )
    return sorted((f"instar/{path.relative_to(home).as_posix()}", path) for path in found)


def _describe(info: Path, version: str) -> None:
    """Write the metadata by which the agent finds its version and its datastores."""
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: instar\nVersion: {version}\n", encoding="utf-8"
    )
    (info / "entry_points.txt").write_text(_entry_points(), encoding="utf-8")


def _entry_points() -> str:
    plugins = sorted(f"{each.name} = {each.value}" for each in metadata.entry_points(group=_PLUGINS))
    return "\n".join([f"[{_PLUGINS}]", *plugins, ""])


def _compile(root: Path, interpreter: Interpreter) -> None:
    """Compile the agent's folder to byte code that is trusted as it is and names files as guests see them."""
    options = ["--invalidation-mode", "unchecked-hash", "-q", "-s", str(root), "-p", "/"]
    done = subprocess.run(
        [interpreter.path, "-IS", "-m", "compileall", *options, str(root / FOLDER)],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BuildError("The guest agent does not compile", seen=(done.stdout + done.stderr)[-1000:])
