"""Booting again what should run and does not; called every few seconds, while operations are under way."""

import logging
import subprocess
import threading

from instar.control.providers.local.registry import BRIEF
from instar.control.providers.local.servers import Servers
from instar.control.providers.local.volumes import Volumes
from instar.wire.errors import InstarError

_log = logging.getLogger(__name__)


class Recovery:
    """Looks after all servers; what keeps one down holds up no other, and is told once."""

    def __init__(self, servers: Servers, volumes: Volumes) -> None:
        self._servers, self._volumes = servers, volumes
        self._told: dict[str, str] = {}
        self._clearing = threading.Thread()

    def run(self) -> None:
        """Boot every server whose machine is gone, and delete what was left of deletions and copies.

        Files that take longer than `BRIEF` seconds are deleted on while the caller goes on.
        """
        for key in self._servers.registry:
            try:
                self._servers.recover(key)
                self._told.pop(key, None)
            except (InstarError, OSError, subprocess.SubprocessError) as error:
                self._tell(key, str(error))

        if not self._clearing.is_alive():
            self._clearing = threading.Thread(target=self._clear, daemon=True)
            self._clearing.start()
        self._clearing.join(BRIEF)

    def _clear(self) -> None:
        try:
            self._servers.registry.clear()
            self._volumes.clear()
        except OSError as error:
            _log.error("what was left of copies is not deleted, tried again within moments: error=%s", error)

    def _tell(self, key: str, error: str) -> None:
        if self._told.get(key) != error:
            _log.error("server not recovered: server=%s error=%s", key, error)
            self._told[key] = error
