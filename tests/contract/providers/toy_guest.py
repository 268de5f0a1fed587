"""Small images for the local provider: their agent boots, daemonises children, and writes to its volume."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from instar.wire.agent import Parameter
from instar.wire.image_digest import image_digest

INTERPRETER = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable

AGENT = """#!{interpreter} -IS
import os, signal, sys, time
root = sys.argv[2]
data = root + "/var/lib/instar/data"

def note(name, text):
    with open(data + "/" + name, "a") as file:
        file.write(text + "\\n")

def daemon(program, environment, here):
    if os.fork():
        os.wait()
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    if {stubborn}:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    note("pids", str(os.getpid()))
    os.chdir(here)
    os.execve(program, ["daemon", "1000"], environment)

def stop(*_):
    note("stops", "{name}")
    sys.exit(0)

while not os.path.isdir(data):
    time.sleep(0.01)
note("pids", str(os.getpid()))
daemon("/bin/sleep", dict(os.environ), "/")        # has its marker
daemon("/bin/sleep", {{}}, root)                     # has its working directory
daemon(root + "/usr/bin/sleep", {{}}, "/")           # has its program
signal.signal(signal.SIGTERM, stop)
note("boots", "{name}")
print("booted {name}", flush=True)
while True:
    signal.pause()
"""


def make_image(
    image_dir: Path,
    name: str,
    *,
    stubborn: bool = False,
    change: Callable[[Path], object] = lambda image: None,
) -> str:
    """Make an image called `name`, whose daemons ignore SIGTERM when `stubborn`; gives its ref.

    `change` may add to its directory before the digest is computed.
    """
    making = image_dir / f".{name}"
    programs = making / "tree" / "usr" / "bin"
    programs.mkdir(parents=True)
    agent = programs / "instar-guest-agent"
    agent.write_text(AGENT.format(interpreter=INTERPRETER, name=name, stubborn=stubborn))
    shutil.copy("/bin/sleep", programs / "sleep")
    for program in programs.iterdir():
        program.chmod(0o555)
    (programs / "link").symlink_to("sleep")
    programs.chmod(0o555)
    manifest = {
        "recipe": name,
        "datastore": "toy",
        "manager": "toy",
        "engine_version": "1",
        "version_name": name,
        "agent_version": "1",
    }
    (making / "manifest.json").write_text(json.dumps(manifest))
    change(making)
    digest = image_digest(making / "tree")
    making.rename(image_dir / digest.removeprefix("sha256:"))
    return digest


def write_parameters(parameters: list[Parameter], image: Path) -> None:
    """Put a catalogue of parameters into an image's directory, as the builder does."""
    catalogue = [parameter.model_dump() for parameter in parameters]
    (image / "parameters.json").write_text(json.dumps(catalogue))
