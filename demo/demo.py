"""The main job, for real: a PostgreSQL instance is created and upgraded by an image swap, under a writer.

Run by `make demo`. All it makes lies below one directory of its own; nothing is left running unless KEEP=1.
"""

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
from dataclasses import dataclass
from pathlib import Path

import psycopg
from rich.console import Console
from rich.table import Table

from instar.client import Client
from writer import Tally, Writer

INSTAR = Path(sys.executable).with_name("instar")
CONSOLE = Console(width=110)
ROWS = 200_000


def main() -> int:
    """Do it all; gives the exit status."""
    keep = os.environ.get("KEEP") == "1"
    home = Path(tempfile.mkdtemp(prefix="instar-demo-", dir="/var/tmp"))
    home.chmod(0o711)
    os.environ.update(INSTAR_STATE_DIR=str(home))
    for name in ("INSTAR_ENDPOINT", "INSTAR_TOKEN", "INSTAR_PROJECT"):
        os.environ.pop(name, None)
    begun = time.monotonic()
    with control_plane(home, keep=keep):
        conninfo = create()
        lost = upgrade_to("18.6", conninfo) + upgrade_to("18.6", conninfo, again=True)
        say(f"All done in {time.monotonic() - begun:.0f} s")
        if keep:
            tell_how_to_connect(home, conninfo)
        else:
            instar("delete", "demo", "--yes", "--wait", "-f", "value", "-c", "state")
    if not keep:
        shutil.rmtree(home)
    return 1 if lost else 0


@contextmanager
def control_plane(home: Path, *, keep: bool) -> Iterator[None]:
    """Build the images and run `instar serve` below `home` until the end."""
    say("1. Build the guest images: PostgreSQL 17.10 and 18.6, each with its own guest agent")
    for recipe in ("postgresql-17.10", "postgresql-18.6"):
        instar("image", "build", recipe)
    say("2. Start the control plane: API, worker, SQLite, local provider")
    port = free_port()
    with (home / "serve.log").open("w") as log:
        command = [INSTAR, "serve", "--port", str(port)]
        program = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_until_ready(program, home / "serve.log")
        yield
    except BaseException:
        keep = False
        CONSOLE.print(f"[red]The demo ended early.[/red] The control plane's log is {home}/serve.log")
        subprocess.run([INSTAR, "delete", "demo", "--yes", "--wait"], check=False, capture_output=True)
        raise
    finally:
        if not keep:
            program.send_signal(signal.SIGTERM)
            program.wait(30)


def wait_until_ready(program: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until the API answers."""
    deadline = time.monotonic() + 60
    while subprocess.run([INSTAR, "list"], capture_output=True, check=False).returncode != 0:
        if program.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"The control plane does not start:\n{log.read_text()}")
        time.sleep(0.2)


def create() -> str:
    """Create the instance with a database, a user and data in it; gives how to connect."""
    say("3. Create an instance with a database and a user, and load data")
    password = secrets.token_urlsafe(12)
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(password)
        file.flush()
        wanted = ("--flavor", "1", "--volume-size", "1", "--version", "17.10", "--database", "shop")
        instar("create", "demo", *wanted, "--user", "ada", "--password-file", file.name, "--wait")
    address = Client.local().instances.get("demo").ip
    assert address
    conninfo = f"host={address[0]} user=ada password={password} dbname=shop"
    with psycopg.connect(conninfo, autocommit=True) as connection:
        rows = f"SELECT n, md5(n::text) AS item FROM generate_series(1, {ROWS}) n"
        connection.execute(f"CREATE TABLE orders AS {rows}")
        connection.execute("ALTER TABLE orders ADD PRIMARY KEY (n)")
    say(f"   {ROWS:,} rows loaded")
    return conninfo


@dataclass(frozen=True)
class Sight:
    """What the instance is, asked of the database and of the control plane."""

    version: str
    image: str
    agent: str
    address: str
    volume: str
    orders: int


def look(conninfo: str) -> Sight:
    """Look at the instance from outside."""
    with psycopg.connect(conninfo) as connection:
        version = connection.execute("SHOW server_version").fetchone()
        orders = connection.execute("SELECT count(*) FROM orders").fetchone()
    shown = Client.local().instances.get("demo")
    assert version
    assert orders
    assert shown.ip
    return Sight(
        version=version[0],
        image=(shown.image or "")[:19],
        agent=shown.agent_version or "",
        address=f"{shown.ip[0]}:{shown.port}",
        volume=(shown.volume_id or "")[:23],
        orders=orders[0],
    )


def upgrade_to(version: str, conninfo: str, *, again: bool = False) -> int:
    """Upgrade under a writer, print the closing table, and give how many acknowledged rows are missing."""
    title = "5. Upgrade to the image that it already runs" if again else f"4. Upgrade to PostgreSQL {version}"
    say(f"{title}, while a client writes a row every few milliseconds")
    before, writer = look(conninfo), Writer(conninfo)
    writer.start()
    writer.wait_for(100)
    instar("upgrade", "demo", version, "--wait", "-f", "value", "-c", "state")
    writer.wait_for(100)
    tally = writer.stop()
    print_table(before, look(conninfo), tally)
    return tally.lost


def print_table(before: Sight, after: Sight, tally: Tally) -> None:
    """Print what was before, what is after, and what the writer saw."""
    table = Table("", "before", "after")
    for column in table.columns:
        column.no_wrap = True
    table.add_row("version, asked of the database", before.version, after.version)
    table.add_row("image digest", before.image, after.image)
    table.add_row("agent version", before.agent, after.agent)
    table.add_row("address and port", before.address, after.address)
    table.add_row("data volume", before.volume, after.volume)
    table.add_row("rows loaded", f"{before.orders:,}", f"{after.orders:,}")
    table.add_section()
    table.add_row("rows acknowledged to the writer", "", f"{tally.acknowledged:,}")
    table.add_row("rows found", "", f"{tally.found:,}")
    table.add_row("longest time without a write", "", f"{tally.longest_gap:.2f} s")
    CONSOLE.print(table)
    if tally.lost:
        CONSOLE.print(f"[red]{tally.lost} acknowledged rows are missing[/red]")


def tell_how_to_connect(home: Path, conninfo: str) -> None:
    """Say where everything is that was left running."""
    CONSOLE.print(f"\nLeft running. The database:  psql '{conninfo}'", soft_wrap=True)
    CONSOLE.print(f"The control plane:  export INSTAR_STATE_DIR={home}; {INSTAR} list", soft_wrap=True)
    end = f"{INSTAR} delete demo --yes --wait; pkill -f '{INSTAR} serve'; rm -r {home}"
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


if __name__ == "__main__":
    sys.exit(main())
