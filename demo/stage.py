"""What the demonstrations share: a control plane of their own, an instance, a writer, and a closing table."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from access import Access, ask
from instar.client import Client
from instar.wire.rest import Instance
from writer import Tally, Writer

INSTAR = Path(sys.executable).with_name("instar")
CONSOLE = Console(width=110)
DATABASE, USER = "shop", "ada"
NAME = "demo"


@contextmanager
def stage() -> Iterator[Path]:
    """Give a state directory of its own, which goes at the end unless KEEP=1 or something went wrong."""
    home = Path(tempfile.mkdtemp(prefix="instar-demo-", dir="/var/tmp"))
    home.chmod(0o711)
    os.environ.update(INSTAR_STATE_DIR=str(home))
    for name in ("INSTAR_ENDPOINT", "INSTAR_TOKEN", "INSTAR_PROJECT"):
        os.environ.pop(name, None)
    begun = time.monotonic()
    yield home
    say(f"All done in {time.monotonic() - begun:.0f} s")


def is_kept() -> bool:
    """Tell whether everything is to be left running."""
    return os.environ.get("KEEP") == "1"


@contextmanager
def control_plane(home: Path, *options: str) -> Iterator[None]:
    """Run `instar serve` below `home`; at the end the instance and all else go, unless they are kept."""
    with (home / "serve.log").open("w") as log:
        command = [INSTAR, "serve", "--port", str(free_port()), *options]
        program = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait_until_ready(program, home / "serve.log")
        yield
    except BaseException:
        CONSOLE.print(f"[red]The demo ended early.[/red] The control plane's log is {home}/serve.log")
        subprocess.run([INSTAR, "delete", NAME, "--yes", "--wait"], check=False, capture_output=True)
        _end(program)
        raise
    if not is_kept():
        instar("delete", NAME, "--yes", "--wait", "-f", "value", "-c", "state")
        _end(program)
        shutil.rmtree(home)


def _end(program: "subprocess.Popen[bytes]") -> None:
    program.send_signal(signal.SIGTERM)
    program.wait(60)


def _wait_until_ready(program: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until the API answers."""
    deadline = time.monotonic() + 60
    while subprocess.run([INSTAR, "list"], capture_output=True, check=False).returncode != 0:
        if program.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"The control plane does not start:\n{log.read_text()}")
        time.sleep(0.2)


def create(version: str, *options: str) -> tuple[Instance, str]:
    """Create the instance with a database and a user; gives it and the user's password."""
    password = secrets.token_urlsafe(12)
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(password)
        file.flush()
        wanted = ("--flavor", "1", "--volume-size", "1", "--version", version, "--database", DATABASE)
        who = ("--user", USER, "--password-file", file.name)
        instar("create", NAME, *wanted, *options, *who, "--wait")
    return Client.local().instances.get(NAME), password


def address_of(instance: Instance) -> str:
    """Give an instance's address."""
    assert instance.ip
    return instance.ip[0]


@dataclass(frozen=True)
class Sight:
    """What the instance is, asked of the database and of the control plane."""

    version: str
    image: str
    agent: str
    address: str
    volume: str
    rows: int
    more: dict[str, str] = field(default_factory=dict)
    """What else there is to tell, by its title."""


def look(access: Access, query: str = "SELECT version()", more: dict[str, str] | None = None) -> Sight:
    """Look at the instance from outside."""
    shown = Client.local().instances.get(NAME)
    return Sight(
        version=str(ask(access, query)[0]),
        image=(shown.image or "")[:19],
        agent=shown.agent_version or "",
        address=f"{address_of(shown)}:{shown.port}",
        volume=(shown.volume_id or "")[:23],
        rows=ask(access, "SELECT count(*) FROM orders")[0],
        more=more or {},
    )


@contextmanager
def written_to(access: Access) -> Iterator[list[Tally]]:
    """Have a client write throughout; the list given holds its tally at the end."""
    tallies: list[Tally] = []
    writer = Writer(access)
    writer.start()
    writer.wait_for(100)
    yield tallies
    writer.wait_for(100)
    tallies.append(writer.stop())


def print_table(before: Sight, after: Sight, tally: Tally) -> int:
    """Print what was before, what is after, and what the writer saw; gives how many rows are missing."""
    table = Table("", "before", "after")
    for column in table.columns:
        column.no_wrap = True
    for title, told in before.more.items():
        table.add_row(title, told, after.more[title])
    table.add_row("version, asked of the database", before.version, after.version)
    table.add_row("image digest", before.image, after.image)
    table.add_row("agent version", before.agent, after.agent)
    table.add_row("address and port", before.address, after.address)
    table.add_row("data volume", before.volume, after.volume)
    table.add_row("rows loaded", f"{before.rows:,}", f"{after.rows:,}")
    table.add_section()
    table.add_row("rows acknowledged to the writer", "", f"{tally.acknowledged:,}")
    table.add_row("rows found", "", f"{tally.found:,}")
    table.add_row("longest time without a write", "", f"{tally.longest_gap:.2f} s")
    CONSOLE.print(table)
    if tally.lost:
        CONSOLE.print(f"[red]{tally.lost} acknowledged rows are missing[/red]")
    return tally.lost


def tell_how_to_connect(home: Path, how: str) -> None:
    """Say where everything is that was left running."""
    CONSOLE.print(f"\nLeft running. The database:  {how}", soft_wrap=True)
    CONSOLE.print(f"The control plane:  export INSTAR_STATE_DIR={home}; {INSTAR} list", soft_wrap=True)
    end = f"{INSTAR} delete {NAME} --yes --wait; pkill -f '{INSTAR} serve'; rm -r {home}"
    CONSOLE.print(f"To end it:  {end}", soft_wrap=True)


def instar(*arguments: str) -> None:
    """Run a command as a user would, showing it."""
    CONSOLE.print(f"[bold]$ instar {' '.join(arguments)}[/bold]", highlight=False, soft_wrap=True)
    subprocess.run([INSTAR, *arguments], check=True)


def free_port() -> int:
    """Find a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def say(text: str) -> None:
    """Print a heading."""
    CONSOLE.print(f"\n[cyan]{text}[/cyan]", highlight=False)
