"""A data directory is in good order when the whole server has come to its end, not one engine of it."""

import subprocess
from pathlib import Path

import pytest

from instar.agent.datastores.mariadb.dialect import MARIADB
from instar.agent.datastores.mysql_family.daemon import Daemon
from instar.agent.datastores.mysql_family.layout import Layout

INNODB = "[Note] InnoDB: Shutdown completed; log sequence number 44744; transaction id 15"
SERVER = "[Note] /usr/sbin/mariadbd (initiated by: unknown): Normal shutdown"
READY = "[Note] /usr/sbin/mariadbd: ready for connections.\nVersion: '10.11.19-MariaDB'  socket: ''"


@pytest.mark.parametrize(
    ("words", "good"),
    [
        ([SERVER, INNODB, "[Note] /usr/sbin/mariadbd: Shutdown complete"], True),
        ([SERVER, INNODB, "[Note] /usr/sbin/mariadbd: Herunterfahren beendet"], True),
        ([SERVER, INNODB], False),
        ([READY, SERVER, INNODB], False),
    ],
)
def test_end_is_judged_by_the_servers_last_word(tmp_path: Path, words: list[str], good: bool) -> None:
    layout = Layout(tmp_path / "root", tmp_path / "volume")
    daemon = Daemon(MARIADB, layout, layout.data, "127.0.0.1", 3306, "10.11.19")
    layout.data.mkdir(parents=True)
    layout.log.parent.mkdir(parents=True)
    (tmp_path / "words").write_text("\n".join([*words, ""]))
    script = f"trap 'cat {tmp_path}/words >> {layout.log}; exit' TERM; echo; while :; do sleep 0.01; done"
    server = subprocess.Popen(["/bin/sh", "-c", script], cwd=layout.data, stdout=subprocess.PIPE)
    assert server.stdout is not None
    with server.stdout:
        server.stdout.readline()
    (layout.run() / "database.pid").write_text(str(server.pid))
    daemon.stop()
    server.wait()
    assert daemon.is_shut_down() is good
