"""Starting again what should run and does not, such as after a host of Nova's lost its power."""

import logging

from instar.control.providers.openstack.servers import Servers
from instar.wire.errors import InstarError

_log = logging.getLogger(__name__)


class Recovery:
    """Looks after all servers; what keeps one down holds up no other, and is told once."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._told: dict[str, str] = {}

    def run(self) -> None:
        """Start every server that is down and is not to be."""
        told: dict[str, str] = {}
        try:
            for server in self._servers.down():
                try:
                    self._servers.start(server)
                except InstarError as error:
                    told[server.name] = str(error)
        except InstarError as error:
            told["all"] = str(error)
        for name, why in told.items():
            if self._told.get(name) != why:
                _log.error("server not started again: server=%s error=%s", name, why)
        self._told = told
