"""WSGI servers that are not ours, serving `instar.control.wsgi`."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import requests

from real_control_plane import INSTAR, free_port
from waiting import until

_GUNICORN = "gunicorn --bind 127.0.0.1:{port} --workers 2 --threads 4 --timeout 600"
SERVERS = {
    "gunicorn": _GUNICORN,
    "gunicorn, loaded before it forks": f"{_GUNICORN} --preload",
    "uwsgi": "uwsgi --http-socket 127.0.0.1:{port} --master --processes 2 --threads 4 --need-app "
    "--add-header Connection:close --module",
}


@contextmanager
def foreign_server(home: Path, configuration: str, server: str = "gunicorn") -> Iterator[str]:
    """Serve the API with two processes of several threads each; gives its URL."""
    port, file, log = free_port(), home / "instar.conf", home / "server.log"
    file.write_text(f"[DEFAULT]\nstate_dir = {home}\nprovider = fake\n{configuration}")
    done = subprocess.run(
        [INSTAR, "db", "upgrade", "--config-file", file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    program, *words = SERVERS[server].format(port=port).split()
    with log.open("w") as output:
        started = psutil.Popen(
            [INSTAR.with_name(program), *words, "instar.control.wsgi:application"],
            env={**os.environ, "INSTAR_CONFIG_FILES": str(file)},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    family = [started]
    try:
        until(lambda: _answers(f"http://127.0.0.1:{port}", started, log), 600)
        family += started.children(recursive=True)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(started.pid, signal.SIGKILL)
        psutil.wait_procs(family)


def _answers(url: str, server: psutil.Popen, log: Path) -> bool:
    assert server.poll() is None, log.read_text()
    try:
        return requests.get(f"{url}/healthcheck", timeout=600).status_code == 200
    except requests.ConnectionError:
        return False
