"""Small whole systems for the podman provider: Python, an init, and the toy guest as their agent."""

import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from toy_guest import write_parameters

from instar.control.providers.directories import records
from instar.control.providers.podman.service import find_service
from instar.control.providers.podman.settings import PodmanSettings
from instar.wire.agent import Parameter
from instar.wire.errors import ProviderError

PACKAGES = ["base-files", "base-passwd", "coreutils", "dash", "python3-minimal", "util-linux"]
WRITABLE = ["etc/instar", "var/lib/instar"]

INIT = """#!/usr/bin/python3 -IS
import os, signal, time

agent, told = 0, False

def start():
    global agent
    agent = os.fork()
    if agent == 0:
        os.setsid()
        os.execv("/usr/bin/instar-guest-agent", ["instar-guest-agent", "--root", "/"])

def stop(*_):
    global told
    told = True
    os.kill(agent, signal.SIGTERM)

signal.signal(signal.SIGTERM, stop)
start()
while True:
    pid, _ = os.wait()
    if pid == agent and told:
        break
    if pid == agent:
        time.sleep(0.05)
        start()
"""

AGENT = """#!/usr/bin/python3 -IS
import os, signal, sys, time
data = "/var/lib/instar/data"

def note(name, text):
    with open(data + "/" + name, "a") as file:
        file.write(text + "\\n")

def daemon():
    if os.fork():
        os.wait()
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    if {stubborn}:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.execv("/usr/bin/sleep", ["daemon", "1000"])

def stop(*_):
    note("stops", "{name}")
    sys.exit(0)

daemon()
if {stubborn}:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, stop)
note("boots", "{name}")
print("booted {name}", flush=True)
while True:
    time.sleep(1000)
"""


def why_not() -> str:
    """Say what the podman provider lacks here; nothing when it can be tried."""
    if os.geteuid() != 0:
        return "the podman provider has to run as root: run the tests as root"
    if not shutil.which("mmdebstrap"):
        return "no mmdebstrap to make toy systems with: apt-get install mmdebstrap"
    try:
        find_service(None, PodmanSettings.run_dir).ensure()
    except ProviderError as error:
        return str(error)
    return ""


def store() -> Path:
    """Give the directory in which toy systems are kept between runs."""
    default = Path(tempfile.gettempdir()) / f"instar-test-images-{os.geteuid()}"
    place = Path(os.environ.get("INSTAR_TEST_IMAGES", default)) / "toy-systems"
    place.mkdir(parents=True, exist_ok=True)
    return place


def make_image(
    image_dir: Path,
    name: str,
    *,
    stubborn: bool = False,
    init: str = INIT,
    parameters: list[Parameter] | None = None,
) -> str:
    """Put the system called `name` into an image directory, made once; gives its ref.

    When `stubborn`, its agent and what that leaves behind ignore SIGTERM. Without `init` it can't start.
    """
    agent = AGENT.format(name=name, stubborn=stubborn)
    stamp = hashlib.sha256((agent + init).encode()).hexdigest()[:16]
    system = store() / f"{stamp}.tar"
    with records.locked(store() / "lock"):
        if not system.exists():
            with _whole(system) as partial:
                shutil.copy(_base(), partial)
                _add(partial, agent, init)
        digest = store() / f"{stamp}.sha256"
        if not digest.exists():
            with system.open("rb") as file:
                digest.write_text(hashlib.file_digest(file, "sha256").hexdigest())
    return _lay_out(image_dir, name, system, digest.read_text(), parameters)


def _lay_out(
    image_dir: Path, name: str, system: Path, digest: str, parameters: list[Parameter] | None
) -> str:
    place = image_dir / digest
    place.mkdir(parents=True)
    try:
        (place / "rootfs.tar").hardlink_to(system)
    except OSError:
        shutil.copy(system, place / "rootfs.tar")
    manifest = {
        "recipe": name,
        "datastore": "toy",
        "manager": "toy",
        "engine_version": "1",
        "version_name": name,
        "agent_version": "1",
        "format": "oci",
        "writable": WRITABLE,
    }
    (place / "manifest.json").write_text(json.dumps(manifest))
    if parameters is not None:
        write_parameters(parameters, place)
    return f"sha256:{digest}"


def _base() -> Path:
    """Find or bootstrap what all toy systems have; the caller holds the lock."""
    base = store() / f"base-{hashlib.sha256(' '.join(PACKAGES).encode()).hexdigest()[:16]}.tar"
    if not base.exists():
        hooks = "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"
        packages = f"--include={','.join(PACKAGES)}"
        slim = "--dpkgopt=path-exclude=/usr/share/doc/*"
        with _whole(base) as partial:
            command = [
                "mmdebstrap",
                "--mode=root",
                "--variant=extract",
                "--format=tar",
                packages,
                hooks,
                slim,
            ]
            made = subprocess.run([*command, "bookworm", partial], capture_output=True, text=True)
            if made.returncode:
                pytest.fail(f"mmdebstrap could not make a system: {made.stderr[-2000:]}")
    return base


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Have a file appear under its name when it is whole."""
    partial = path.with_suffix(".partial")
    yield partial
    partial.rename(path)


def _add(system: Path, agent: str, init: str) -> None:
    files = {
        "usr/bin/instar-guest-agent": (agent, 0o755),
        "usr/lib/instar/init": (init, 0o755 if init else 0o644),
        "etc/passwd": ("root:x:0:0:root:/root:/bin/sh\n", 0o644),
        "etc/group": ("root:x:0:\n", 0o644),
        "etc/secret": ("root only\n", 0o600),
    }
    with tarfile.open(system, "a") as archive:
        for folder in ("usr/lib/instar", *WRITABLE, "var/lib/instar/data"):
            entry = tarfile.TarInfo(f"./{folder}")
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for name, (text, mode) in files.items():
            entry = tarfile.TarInfo(f"./{name}")
            entry.size, entry.mode = len(text), mode
            archive.addfile(entry, io.BytesIO(text.encode()))
