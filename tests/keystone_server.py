"""A real Keystone for tests: from PyPI, on SQLite, with accounts of its own, below one directory."""

import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import requests
from keystoneauth1 import session
from keystoneauth1.identity import v3
from keystoneclient.v3 import client

import environments
from real_control_plane import free_port
from waiting import until

REQUIREMENTS = ("keystone==30.0.0",)
_SERVE = Path(__file__).with_name("serve_keystone.py")
PASSWORD = "only-for-tests"
REGION = "here"
PROJECTS = {"acme": {"alice": "member", "root": "admin"}, "rival": {"mallory": "member"}}
"""Who has which role in which project."""
_TIMEOUT = 600.0
_CONFIGURATION = """\
[DEFAULT]
log_dir =
use_stderr = true
[database]
connection = sqlite:///{home}/keystone.db
[identity]
password_hash_rounds = 4
[token]
expiration = {expiration}
[fernet_tokens]
key_repository = {home}/fernet
[credential]
key_repository = {home}/credential
"""


@dataclass
class Keystone:
    """A Keystone; `endpoint` is what its catalogue says of databases, after `register`."""

    home: Path
    programs: Path
    port: int = field(default_factory=free_port)
    running: list[psutil.Popen] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its version 3."""
        return f"http://127.0.0.1:{self.port}/v3"

    def prepare(self, expiration: int) -> None:
        """Give it its settings, and the records and keys that every Keystone of tests begins with."""
        text = _CONFIGURATION.format(home=self.home, expiration=expiration)
        (self.home / "keystone.conf").write_text(text)
        first = self.programs.parent / "first-records"
        if not first.exists():
            self._make_first_records()
            shutil.copytree(self.home, first)
        shutil.copytree(first, self.home, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.conf"))
        with closing(sqlite3.connect(self.home / "keystone.db")) as records, records:
            records.execute("UPDATE endpoint SET url = ?", (self.url,))

    def _make_first_records(self) -> None:
        urls = [
            word for kind in ("public", "internal", "admin") for word in (f"--bootstrap-{kind}-url", self.url)
        ]
        whose = ["--keystone-user", str(os.geteuid()), "--keystone-group", str(os.getegid())]
        for folder in ("fernet", "credential"):
            (self.home / folder).mkdir(mode=0o700)
        self._manage("db_sync")
        self._manage("fernet_setup", *whose)
        self._manage("credential_setup", *whose)
        self._manage("bootstrap", "--bootstrap-password", PASSWORD, "--bootstrap-region-id", REGION, *urls)

    def start(self) -> None:
        """Serve, and wait until it answers."""
        with (self.home / "keystone.log").open("a") as log:
            started = psutil.Popen(
                [self.programs / "python", _SERVE, str(self.port)],
                env={**os.environ, **self._environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.running.append(started)
        until(self._answers, _TIMEOUT)

    def stop(self) -> None:
        """End it; what it knows stays."""
        for started in self.running:
            family = [started, *started.children(recursive=True)]
            os.killpg(started.pid, signal.SIGKILL)
            psutil.wait_procs(family)
        self.running.clear()

    def session(self, user: str, project: str) -> session.Session:
        """Log in lazily, as a user of a project."""
        domains = {"user_domain_id": "default", "project_domain_id": "default"}
        auth = v3.Password(self.url, username=user, password=PASSWORD, project_name=project, **domains)
        return session.Session(auth=auth)

    def register(self, database_url: str) -> dict[str, str]:
        """Make accounts, and name a control plane in the catalogue; gives projects' ids by their names."""
        admin = client.Client(session=self.session("admin", "admin"), interface="public")
        roles = {role.name: role for role in admin.roles.list()}
        ids = {}
        for name, users in {**PROJECTS, "service": {"instar": "admin"}}.items():
            project = admin.projects.create(name, "default")
            ids[name] = project.id
            for user, role in users.items():
                made = admin.users.create(user, domain="default", password=PASSWORD)
                admin.roles.grant(roles[role], user=made, project=project)
        service = admin.services.create("instar", "database")
        for interface in ("public", "internal", "admin"):
            url = f"{database_url}/v1.0/%(project_id)s"
            admin.endpoints.create(service, url, interface=interface, region=REGION)
        return ids

    def authtoken(self) -> str:
        """The sections of `instar.conf` that make a control plane ask this Keystone."""
        return (
            "[api]\nauth = keystone\n[keystone_authtoken]\n"
            f"www_authenticate_uri = {self.url}\nauth_url = {self.url}\nauth_type = password\n"
            f"username = instar\npassword = {PASSWORD}\nproject_name = service\n"
            "user_domain_id = default\nproject_domain_id = default\nservice_token_roles_required = true\n"
        )

    @property
    def _environment(self) -> dict[str, str]:
        return {"OS_KEYSTONE_CONFIG_DIR": str(self.home), "OS_KEYSTONE_CONFIG_FILES": "keystone.conf"}

    def _manage(self, *words: str) -> None:
        done = subprocess.run(
            [self.programs / "keystone-manage", "--config-file", self.home / "keystone.conf", *words],
            env={**os.environ, **self._environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def _answers(self) -> bool:
        assert self.running[-1].poll() is None, (self.home / "keystone.log").read_text()
        try:
            return requests.get(self.url, timeout=600).status_code == 200
        except requests.ConnectionError:
            return False


@contextmanager
def keystone(expiration: int = 3600) -> Iterator[Keystone]:
    """Run a Keystone whose tokens last `expiration` seconds."""
    made = Keystone(
        Path(tempfile.mkdtemp(prefix="instar-keystone-")), environments.programs("keystone", *REQUIREMENTS)
    )
    try:
        made.prepare(expiration)
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(made.home)
