"""The MariaDB story, for real: 10.11 on Debian 12 becomes 11.8 on Debian 13, then the 11.8 of Debian testing.

Whole operating systems in containers, one data volume, one address; a client writes throughout. Run by
`make demo-containers`, as root on a machine with Podman. Nothing is left running unless KEEP=1.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from access import MariaDB, ask, tell
from instar.images import build
from instar.images.recipe import load as recipe
from instar.images.store import default_image_dir
from stage import (
    DATABASE,
    NAME,
    USER,
    Sight,
    address_of,
    control_plane,
    create,
    instar,
    is_kept,
    look,
    print_table,
    say,
    stage,
    tell_how_to_connect,
    written_to,
)

ROWS = 200_000
RECIPES = ("mariadb-10.11", "mariadb-11.8", "mariadb-11.8-forky")
SETTINGS = "SELECT concat(@@max_connections, ', ', @@long_query_time)"
CONFIGURATION = Path("/run/instar/containers.conf")
"""Of the service of Podman that Instar starts where none runs."""


def main() -> int:
    """Do it all; gives the exit status."""
    with stage() as home:
        say("1. Build the guest images: whole Debian systems, each with its MariaDB and its own guest agent")
        for name in RECIPES:
            instar("image", "build", name)
        first, *others = (build(recipe(name), default_image_dir()).version_name for name in RECIPES)
        say("2. Start the control plane: API, worker, SQLite, podman provider")
        with on_podman(home):
            access = load(first)
            lost = sum(upgrade_to(home, n, version, access) for n, version in enumerate(others, 4))
            if is_kept():
                how = f"mariadb -h {access.host} -u {USER} -p{access.password} {DATABASE}"
                tell_how_to_connect(home, how)
    return 1 if lost else 0


def load(version: str) -> MariaDB:
    """Create the instance with data and a configuration group in it; gives how to connect."""
    say("3. Create an instance with a database, a user and a configuration group, and load data")
    values = ("max_connections=77", "long_query_time=3.5")
    instar("configuration", "create", "tuned", *values, "--datastore", "mariadb", "--version", version)
    made, password = create(version, "--datastore", "mariadb", "--configuration", "tuned")
    access = MariaDB(address_of(made), USER, password, DATABASE)
    tell(
        access,
        "CREATE TABLE orders (n int PRIMARY KEY, item char(32))",
        f"INSERT INTO orders SELECT seq, md5(seq) FROM seq_1_to_{ROWS}",
    )
    say(f"   {ROWS:,} rows loaded")
    return access


def upgrade_to(home: Path, number: int, version: str, access: MariaDB) -> int:
    """Upgrade under a writer, print the closing table, and give how many acknowledged rows are missing."""
    say(f"{number}. Upgrade to {version}, while a client writes a row every few milliseconds")
    before = sight(home, access)
    with written_to(access) as tallies:
        instar("upgrade", NAME, version, "--wait", "-f", "value", "-c", "state")
    return print_table(before, sight(home, access), tallies[0])


def sight(home: Path, access: MariaDB) -> Sight:
    """Look at the instance from outside, and at its operating system from inside."""
    mine = f"label=instar.installation={installation(home)}"
    container = podman("ps", "--filter", mine, "--format", "{{.Names}}")
    release = podman("exec", container, "sh", "-c", '. /etc/os-release; echo "$PRETTY_NAME"')
    asked = {
        "hostname": "SELECT @@hostname",
        "max_connections, long_query_time": SETTINGS,
    }
    told = {title: str(ask(access, query)[0]) for title, query in asked.items()}
    return look(access, more={"/etc/os-release in the guest": release, **told})


@contextmanager
def on_podman(home: Path) -> Iterator[None]:
    """Run the control plane; unless all is kept, the engine forgets its network and the images it brought."""
    digests = (build(recipe(name), default_image_dir()).digest for name in RECIPES)
    new = {f"localhost/instar:{digest.removeprefix('sha256:')}" for digest in digests} - images()
    with control_plane(home, "--provider", "podman"):
        network = f"instar-{installation(home)}"
        subnet = json.loads((home / "podman/network.json").read_text())["subnet"]
        yield
    if not is_kept():
        podman("network", "rm", network)
        subprocess.run(["ip", "route", "del", "unreachable", subnet], check=False)
        for name in sorted(new & images()):
            with suppress(subprocess.CalledProcessError):  # somebody else uses it by now
                podman("rmi", name)


def images() -> set[str]:
    """Name the images that the engine has."""
    return set(podman("images", "--format", "{{.Repository}}:{{.Tag}}").split())


def installation(home: Path) -> str:
    """Give the id under which the engine knows the demo's control plane."""
    return str(json.loads((home / "podman/installation.json").read_text())["id"])


def podman(*words: str) -> str:
    """Run Podman as the machine's owner; gives what it prints."""
    own = {"CONTAINERS_CONF": str(CONFIGURATION)} if CONFIGURATION.exists() else {}
    command = ["podman", *words]
    done = subprocess.run(command, env={**own, **os.environ}, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
