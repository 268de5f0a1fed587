"""RabbitMQ for one test file: a broker of its own, on ports of its own, with nothing left afterwards."""

import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from real_control_plane import free_port
from waiting import until

_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_TIMEOUT = 120.0


@dataclass
class Broker:
    """A broker below one directory; what it was given outlives its end."""

    home: Path
    port: int = field(default_factory=free_port)
    distribution_port: int = field(default_factory=free_port)
    mapper_port: int = field(default_factory=free_port)
    running: list[psutil.Popen] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its URL in oslo.messaging's words."""
        return f"rabbit://guest:guest@127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Start Erlang's port mapper and the broker, and wait until it listens."""
        (self.home / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\nlog.console = true\nlog.file = false\n"
            "disk_free_limit.absolute = 50MB\n"
        )
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),  # the cookie lies there
            "ERL_EPMD_PORT": str(self.mapper_port),
            "RABBITMQ_NODENAME": f"instar-{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self.distribution_port),
            "RABBITMQ_CONFIG_FILE": str(self.home / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_MNESIA_BASE": str(self.home),
            "RABBITMQ_LOG_BASE": str(self.home),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.home / "enabled_plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
        }
        self._run(["epmd", "-address", "127.0.0.1", "-port", str(self.mapper_port)], environment)
        until(lambda: _listens(self.mapper_port), _TIMEOUT)
        self._run([str(_SERVER)], environment)
        until(lambda: _listens(self.port), _TIMEOUT)

    def kill(self) -> None:
        """End both with no chance to tidy up."""
        for started in self.running:
            family = [started, *started.children(recursive=True)]
            os.killpg(started.pid, signal.SIGKILL)
            psutil.wait_procs(family)
        self.running.clear()

    def _run(self, words: list[str], environment: dict[str, str]) -> None:
        with (self.home / "broker.log").open("a") as log:
            started = psutil.Popen(
                words, env=environment, cwd=self.home, stdout=log, stderr=log, start_new_session=True
            )
        self.running.append(started)


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    """A broker that is not started yet; tests skip where RabbitMQ is not installed."""
    if not _SERVER.exists():
        pytest.skip("RabbitMQ is not installed: apt-get install rabbitmq-server")
    made = Broker(Path(tempfile.mkdtemp(prefix="instar-rabbitmq-")))
    try:
        yield made
    finally:
        made.kill()
        shutil.rmtree(made.home)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
