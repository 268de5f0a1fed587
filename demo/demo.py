"""The main job, for real: a PostgreSQL instance is created and upgraded by an image swap, under a writer.

Run by `make demo`. All it makes lies below one directory of its own; nothing is left running unless KEEP=1.
"""

import sys

from access import PostgreSQL, tell
from stage import (
    DATABASE,
    USER,
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


def main() -> int:
    """Do it all; gives the exit status."""
    with stage() as home:
        say("1. Build the guest images: PostgreSQL 17.10 and 18.6, each with its own guest agent")
        for recipe in ("postgresql-17.10", "postgresql-18.6"):
            instar("image", "build", recipe)
        say("2. Start the control plane: API, worker, SQLite, local provider")
        with control_plane(home):
            access = load()
            lost = upgrade_to("18.6", access) + upgrade_to("18.6", access, again=True)
            if is_kept():
                tell_how_to_connect(home, f"psql '{access.conninfo}'")
    return 1 if lost else 0


def load() -> PostgreSQL:
    """Create the instance with data in it; gives how to connect."""
    say("3. Create an instance with a database and a user, and load data")
    made, password = create("17.10")
    access = PostgreSQL(f"host={address_of(made)} user={USER} password={password} dbname={DATABASE}")
    tell(
        access,
        f"CREATE TABLE orders AS SELECT n, md5(n::text) AS item FROM generate_series(1, {ROWS}) n",
        "ALTER TABLE orders ADD PRIMARY KEY (n)",
    )
    say(f"   {ROWS:,} rows loaded")
    return access


def upgrade_to(version: str, access: PostgreSQL, *, again: bool = False) -> int:
    """Upgrade under a writer, print the closing table, and give how many acknowledged rows are missing."""
    title = "5. Upgrade to the image that it already runs" if again else f"4. Upgrade to PostgreSQL {version}"
    say(f"{title}, while a client writes a row every few milliseconds")
    before = look(access, "SHOW server_version")
    with written_to(access) as tallies:
        instar("upgrade", "demo", version, "--wait", "-f", "value", "-c", "state")
    return print_table(before, look(access, "SHOW server_version"), tallies[0])


if __name__ == "__main__":
    sys.exit(main())
