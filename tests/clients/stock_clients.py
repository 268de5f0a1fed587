"""The clients that OpenStack's users have, from PyPI, in an environment of their own."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import environments
from command_line import Ran
from keystone_server import PASSWORD, REGION

REQUIREMENTS = ("python-openstackclient==10.5.0", "python-troveclient==8.11.0", "openstacksdk==4.22.0")
_DRIVER = Path(__file__).with_name("driver.py")


@dataclass
class StockClients:
    """One user's clients; each call runs a program as its script would."""

    process: "subprocess.Popen[str]"

    def openstack(self, *words: str) -> Ran:
        """Run `openstack`, which must succeed."""
        return self._succeed("openstackclient.shell:main", *words)

    def refused(self, *words: str) -> str:
        """Run `openstack`, which must fail; gives what it says."""
        ran = self.run("openstackclient.shell:main", *words)
        assert ran.status != 0, ran.out
        return ran.err

    def table(self, *words: str) -> list[dict[str, Any]]:
        """Run a listing `openstack` command; gives its rows."""
        return list(self.openstack(*words, "-f", "json").json)

    def fields(self, *words: str) -> dict[str, Any]:
        """Run a showing `openstack` command; gives its fields."""
        return dict(self.openstack(*words, "-f", "json").json)

    def trove(self, *words: str) -> str:
        """Run Trove's own shell, which must succeed; gives what it prints."""
        return self._succeed("troveclient.shell:main", *words).out

    def _succeed(self, entry: str, *words: str) -> Ran:
        ran = self.run(entry, *words)
        assert ran.status == 0, (words, ran.err)
        return ran

    def run(self, entry: str, *words: str) -> Ran:
        """Run an entry point of the environment."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps([entry, *words]) + "\n")
        self.process.stdin.flush()
        return Ran(**json.loads(self.process.stdout.readline()))


def account(
    url: str, user: str, project: str, *, password: str = PASSWORD, region: str = REGION
) -> dict[str, str]:
    """Give the environment variables that an RC file would set."""
    return {
        "OS_AUTH_URL": url,
        "OS_USERNAME": user,
        "OS_PASSWORD": password,
        "OS_PROJECT_NAME": project,
        "OS_USER_DOMAIN_ID": "default",
        "OS_PROJECT_DOMAIN_ID": "default",
        "OS_IDENTITY_API_VERSION": "3",
        "OS_REGION_NAME": region,
    }


@contextmanager
def stock_clients(variables: Mapping[str, str], home: Path) -> Iterator[StockClients]:
    """Give a user the clients."""
    programs = environments.programs("clients", *REQUIREMENTS)
    process = subprocess.Popen(
        [programs / "python", _DRIVER],
        env={"PATH": os.environ["PATH"], "HOME": str(home), **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield StockClients(process)
