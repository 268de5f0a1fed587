"""The agent's own accounts: put in place by the server itself whenever it starts, with a new password.

They are there whatever somebody did to them, on a volume put back to a snapshot, and before system tables are
brought up to date. The password is nowhere on the volume; what was hashed here is all that the server reads.
"""

from pathlib import Path

from instar.agent import durable
from instar.agent.datastores.mysql_family.dialect import Dialect, password_hash

ADMINISTRATOR = "instar_admin"
"""May do everything; it gets in through the private socket only, as no network address is `localhost`."""
PROBER = "instar_probe"
"""The account that owners' probes are put as; it may read."""
OPTION_FILE = "administrator.cnf"
"""How programs of the family log in as the administrator."""
_RIGHTS = {
    ADMINISTRATOR: "ALL PRIVILEGES ON *.* TO {} WITH GRANT OPTION",
    PROBER: "SELECT, SHOW VIEW ON *.* TO {}",
}


def arrange(dialect: Dialect, statements: Path, run: Path, password: str) -> None:
    """Write what the server runs when it starts, and what the agent logs in with, for this uid only."""
    identified = dialect.identified.format(hash=password_hash(password))
    before, after = dialect.unguarded
    lines = ["SET SESSION sql_log_bin=0;", before]
    for name, rights in _RIGHTS.items():
        account = f"'{name}'@'localhost'"
        lines += [
            f"CREATE USER IF NOT EXISTS {account};",
            f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {account};",
            f"ALTER USER {account} {identified} ACCOUNT UNLOCK PASSWORD EXPIRE NEVER;",
            f"GRANT {rights.format(account)};",
        ]
    durable.write(statements, "\n".join([*lines, after, ""]))
    durable.write(
        run / OPTION_FILE,
        f"[client]\nuser = {ADMINISTRATOR}\npassword = {password}\nsocket = {run / 'mysqld.sock'}\n",
    )


def password(run: Path) -> str:
    """Give the password that the running server knows. Raises FileNotFoundError when none was started."""
    text = (run / OPTION_FILE).read_text()
    return next(line.partition(" = ")[2] for line in text.splitlines() if line.startswith("password"))
