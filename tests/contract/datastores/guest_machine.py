"""A server with a real agent on it, without a provider: a root directory, a volume, a process.

The agent runs under an unprivileged uid when the tests run as root, as every server's does. That uid
may be unable to read the environment that the tests run in, so the agent's code is copied where it can.
"""

import contextlib
import importlib.metadata
import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from engines import DATABASE, Client, Engine, PostgreSQL

from certificates import Authority
from instar.wire import agent as wire
from instar.wire.errors import ErrorBody, InstarError

UID = 65533
SOURCE = Path(__file__).parents[3] / "src/instar"
USER = {"name": "ann", "password": "secret-ann", "databases": [DATABASE]}
_numbers = itertools.count(2)


def engine(major: int) -> Path:
    """Find a major version's programs, or skip the test."""
    return PostgreSQL(major=major).programs(major)


def engine_version(major: int) -> str:
    """Ask the engine itself, such as 17.10."""
    return PostgreSQL(major=major).version


def interpreter() -> Path:
    """Find a Python of this version that every uid may run."""
    real = Path(sys._base_executable).resolve()
    if os.getuid() != 0 or all(parent.stat().st_mode & 0o1 for parent in real.parents):
        return Path(sys.executable)
    return Path(f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}")


def copy_library(target: Path) -> Path:
    """Copy the agent and what it needs to where every uid may read it."""
    for name in ("__init__.py", "wire", "agent"):
        source = SOURCE / name
        if source.is_dir():
            shutil.copytree(source, target / "instar" / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (target / "instar").mkdir(parents=True)
            shutil.copy(source, target / "instar" / name)
    for name in sorted(_needed("instar", {"agent"})):
        for file in importlib.metadata.files(name) or []:
            if ".." not in file.parts and file.suffix not in (".pth", ".pyc") and file.parts[0] != "instar":
                place = target / file
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(file.locate()), place)
    subprocess.run([interpreter(), "-m", "compileall", "-q", target], check=True)
    return target


def _needed(name: str, extras: set[str]) -> set[str]:
    """Name a distribution and all that it requires; the package itself only for its extras."""
    found = {name}
    for line in importlib.metadata.requires(name) or []:
        requirement, _, marker = line.partition(";")
        wanted = re.search(r"extra == ['\"](\w+)['\"]", marker)
        if wanted.group(1) not in extras if wanted else name == "instar":
            continue
        parsed = re.match(r"([\w.-]+)(?:\[(\w+)\])?", requirement.strip())
        assert parsed is not None
        try:
            importlib.metadata.distribution(parsed[1])
        except importlib.metadata.PackageNotFoundError:
            continue
        if parsed[1] not in found:
            found |= _needed(parsed[1], {parsed[2]} if parsed[2] else set())
    return found


def free_address() -> str:
    """Give a loopback address that nothing listens on, another one in each test process."""
    for number in _numbers:
        address = f"127.{100 + os.getpid() % 100}.{os.getpid() // 100 % 250}.{number % 250 + 2}"
        with socket.socket() as probe:
            if probe.connect_ex((address, wire.PORT)) != 0:
                return address
    raise AssertionError("unreachable")


@dataclass
class Machine:
    """One server of an instance: its root disk, and the agent that runs on it."""

    directory: Path
    library: Path
    authority: Authority
    engine: Engine
    volume: Path
    address: str
    instance_id: str = "6f0c4b53-6c0f-4e0b-b3a5-2d5d1f2c9a10"
    image: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def root(self) -> Path:
        return self.directory / "root"

    @property
    def major(self) -> int:
        """PostgreSQL's major version."""
        assert isinstance(self.engine, PostgreSQL)
        return self.engine.major

    @property
    def url(self) -> str:
        return f"https://{self.address}:{wire.PORT}"

    def build(self) -> "Machine":
        """Make the root disk: image, injected files, the volume in its place."""
        for name in ("etc/instar/tls", "var/lib/instar", "run", "tmp", "var/log"):
            (self.root / name).mkdir(parents=True)
        self.engine.install(self.root)
        self.volume.mkdir(exist_ok=True)
        (self.root / "var/lib/instar/data").symlink_to(self.volume)
        version = self.engine.version
        manifest = wire.Manifest(
            digest=f"sha256:{self.engine.label}",
            recipe="test",
            datastore=self.engine.manager,
            manager=self.engine.manager,
            engine_version=version,
            version_name=version,
            agent_version="0.1.0",
            **self.image,
        )
        (self.root / wire.IMAGE_MANIFEST).write_text(manifest.model_dump_json())
        self.inject()
        if os.getuid() == 0:
            for path in (self.directory, self.volume):
                subprocess.run(["chown", "-hR", f"{UID}:{UID}", path], check=True)
        return self

    def inject(self) -> None:
        """Write what a control plane injects."""
        (self.root / wire.GUEST_INFO).write_text(
            f"[guest]\ninstance_id = {self.instance_id}\nhostname = db\naddress = {self.address}\n"
            f"database_port = {self.engine.port}\ndatastore_manager = {self.engine.manager}\nram = 256\n"
        )
        (self.root / wire.GUEST_AGENT).write_text(f"[agent]\nlisten_address = {self.address}\n")
        certificate, key = self.authority.issue(self.instance_id, self.address)
        shutil.copy(certificate, self.root / wire.TLS_CERTIFICATE)
        shutil.copy(key, self.root / wire.TLS_KEY)
        shutil.copy(self.authority.certificate, self.root / wire.TLS_AUTHORITY)

    def boot(self) -> "Machine":
        """Start the agent and wait until it answers."""
        as_other = {"user": UID, "group": UID, "extra_groups": []} if os.getuid() == 0 else {}
        with (self.directory / "console.log").open("ab") as console:
            self.process = subprocess.Popen(
                [interpreter(), "-m", "instar.agent.main", "--root", self.root],
                env={"PYTHONPATH": str(self.library), "PATH": "/usr/bin:/bin"},
                cwd="/",
                stdout=console,
                stderr=console,
                **as_other,
            )
        wait_for(self._answers, f"agent of {self.address}")
        return self

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.directory / "console.log").read_text()
        try:
            self.get("/")
        except requests.ConnectionError:
            return False
        return True

    def shut_down(self) -> int:
        """Stop the agent, and with it the database; gives the exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(30)

    def kill_agent(self) -> None:
        """Take the agent away at once; the database stays."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def power_off(self) -> None:
        """End everything at once, as a power cut does."""
        if self.process is not None and self.process.poll() is None:
            self.kill_agent()
        wait_for(self._nothing_is_left_to_kill, "end of all processes")
        shutil.rmtree(self.root / "run")
        (self.root / "run").mkdir()
        if os.getuid() == 0:
            os.chown(self.root / "run", UID, UID)

    def _nothing_is_left_to_kill(self) -> bool:
        """Kill what is found: again and again, since a process may have started another before its end."""
        found = self.processes()
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not found

    def processes(self) -> list[int]:
        """Find the processes that work on the volume or on the root disk."""
        places = str(self.volume.resolve()), str(self.directory.resolve())
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                here = str((entry / "cwd").readlink())
            except OSError:
                continue
            if here.startswith(places):
                found.append(int(entry.name))
        return found

    # -- the guest API ----------------------------------------------------------------------------------

    def get(self, path: str) -> Any:
        return self._ask("GET", path)

    def call(self, hook: str, **params: Any) -> Any:
        return self._ask("POST", f"/calls/{hook}", params)

    def start_job(self, name: str, hook: str, **params: Any) -> wire.JobView:
        return wire.JobView.model_validate(
            self._ask("PUT", f"/jobs/{name}", {"hook": hook, "params": params})
        )

    def job(self, name: str, hook: str, **params: Any) -> dict[str, Any]:
        """Run a job to its end; gives its result or raises its error."""
        self.start_job(name, hook, **params)
        for _ in range(12):
            view = wire.JobView.model_validate(self.get(f"/jobs/{name}?wait=10"))
            if view.ended_at is not None:
                break
        if view.error is not None:
            raise InstarError.from_body(view.error)
        assert view.result is not None, view
        return view.result

    def arrive(self, name: str, **params: Any) -> dict[str, Any]:
        """Run `post_upgrade` to its end and let clients in; gives what `post_upgrade` gave."""
        told = self.job(name, "post_upgrade", **params)
        self.job(f"{name}-let-in", "start")
        return told

    def status(self) -> str:
        return str(self.get("/status")["status"])

    def connect(
        self, user: str = "ann", password: str = "secret-ann", database: str = DATABASE
    ) -> contextlib.AbstractContextManager[Client]:
        """Connect as a client does, over the network. Raises Refused."""
        return self.engine.connect(self, user, password, database)

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = requests.request(
            method,
            self.url + path,
            json=body,
            cert=tuple(map(str, self.authority.issue("instar-control-plane"))),
            verify=str(self.authority.certificate),
            timeout=20,
        )
        if answer.status_code != 200:
            raise InstarError.from_body(ErrorBody.model_validate(answer.json()))
        return answer.json()


def connect(
    machine: Machine, user: str = "ann", password: str = "secret-ann", database: str = DATABASE
) -> psycopg.Connection[tuple[Any, ...]]:
    """Connect as a client does, over the network."""
    return psycopg.connect(
        host=machine.address,
        user=user,
        password=password,
        dbname=database,
        autocommit=True,
        connect_timeout=5,
    )


def wait_for(condition: Any, what: str, seconds: float = 30.0) -> None:
    """Poll until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.01)


def each_major(*majors: int) -> list[Any]:
    """Give test parameters for major versions."""
    return [pytest.param(major, id=f"postgresql-{major}") for major in majors]
