"""The MariaDB story, for real: 10.11 on Debian 12 becomes 11.8 on Debian 13, then the 11.8 of Debian testing.

Whole operating systems in containers, one data volume, one address; a client writes throughout. Run by
`make demo-containers`, as root on a machine with Podman. Nothing is left running unless KEEP=1.
"""

import sys

from access import MariaDB, tell
from instar.client import Client
from instar.images import build
from instar.images.recipe import load as recipe
from instar.images.store import default_image_dir
from stage import (
    CONSOLE,
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


def main() -> int:
    """Do it all; gives the exit status."""
    with stage() as home:
        say("1. Build the guest images: whole Debian systems, each with its MariaDB and its own guest agent")
        for name in RECIPES:
            instar("image", "build", name)
        first, *others = (build(recipe(name), default_image_dir()).version_name for name in RECIPES)
        say("2. Start the control plane: API, worker, SQLite, podman provider")
        with control_plane(home, "--provider", "podman"):
            access = load(first)
            lost = sum(upgrade_to(number, version, access) for number, version in enumerate(others, 4))
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


def upgrade_to(number: int, version: str, access: MariaDB) -> int:
    """Upgrade under a writer, print the closing table, and give how many acknowledged rows are missing."""
    say(f"{number}. Upgrade to {version}, while a client writes a row every few milliseconds")
    before = sight(access)
    with written_to(access) as tallies:
        instar("upgrade", NAME, version, "--wait", "-f", "value", "-c", "state")
    lost = print_table(before, sight(access), tallies[0])
    with access.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT @@max_connections, @@long_query_time")
        CONSOLE.print(f"configuration, asked of the server: {cursor.fetchone()}")
    return lost


def sight(access: MariaDB) -> Sight:
    """Look at the instance from outside; the system is that of the image that runs."""
    image = Client.local().instances.get(NAME).image
    manifests = {each.digest: each for each in (build(recipe(name), default_image_dir()) for name in RECIPES)}
    return look(access, system=manifests[str(image)].os)


if __name__ == "__main__":
    sys.exit(main())
