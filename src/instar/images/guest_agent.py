"""The guest agent as a part of an image: its code, the packages that it needs, and what starts it."""

import hashlib
import os
import shlex
import shutil
import subprocess
from pathlib import Path

from instar.images import tree
from instar.images.agent_source import AgentSource
from instar.images.errors import BuildError
from instar.images.interpreter import Interpreter
from instar.images.programs import Programs

FOLDER = "usr/lib/instar/agent"
LAUNCHER = "usr/bin/instar-guest-agent"

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
_IMPORT_ALL = f"""\
import importlib, pkgutil, sys
sys.path.insert(0, "/{FOLDER}")
import instar.agent
for module in pkgutil.walk_packages(instar.agent.__path__, "instar.agent."):
    importlib.import_module(module.name)
"""


def sources(agent: AgentSource) -> str:
    """Give the digest of all that we put into images ourselves: the agent's code, and the way there."""
    whole = hashlib.sha256(agent.digest.encode())
    home = Path(__file__).parent
    for path in sorted(home.rglob("*.py")):
        whole.update(b"%s\0" % path.relative_to(home).as_posix().encode() + path.read_bytes())
    return f"sha256:{whole.hexdigest()}"


def install(root: Path, packages: Path, interpreter: Interpreter, agent: AgentSource, version: str) -> None:
    """Put the agent into a root: packages, code, metadata and launcher; not compiled yet."""
    folder = root / FOLDER
    tree.add(packages, folder)
    shutil.rmtree(folder / "bin", ignore_errors=True)
    for name, content in agent.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    _describe(folder / f"instar-{version}.dist-info", agent, version)
    (folder / "__main__.py").write_text(_MAIN, encoding="utf-8")
    launcher = root / LAUNCHER
    launcher.write_text(_LAUNCHER.format(interpreter=shlex.quote(interpreter.path)), encoding="utf-8")
    launcher.chmod(0o755)


def compile_here(root: Path, interpreter: Interpreter) -> None:
    """Compile a tree's agent with the host's Python, to byte code that is trusted as it is and names files as
    guests see them."""
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


def check_modules(programs: Programs) -> None:
    """Have the image's Python import all of the agent: wheels that do not fit show. Raises BuildError."""
    done = programs.run("usr/bin/python3", "-IBS", "-c", _IMPORT_ALL)
    if done.returncode != 0:
        raise BuildError(
            "The guest agent does not run on the image's Python",
            seen=(done.stdout + done.stderr).strip()[-1000:],
            remedy="Build the image with the Instar of a release that knows this Python.",
        )


def _describe(info: Path, agent: AgentSource, version: str) -> None:
    """Write the metadata by which the agent finds its version and its datastores."""
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: instar\nVersion: {version}\n", encoding="utf-8"
    )
    (info / "entry_points.txt").write_text(agent.entry_points, encoding="utf-8")
