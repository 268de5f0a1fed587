"""Booting again what should run and does not; called every few seconds, while operations are under way."""

import logging
import subprocess
import threading
from collections.abc import Callable, Iterable

from instar.control.providers.directories.registry import BRIEF
from instar.wire.errors import InstarError

_log = logging.getLogger(__name__)


class Recovery:
    """Looks after all servers; what keeps one down holds up no other, and is told once."""

    def __init__(self, clear: Callable[[], None]) -> None:
        self._delete_rest = clear
        self._told: dict[str, str] = {}
        self._clearing = threading.Thread()

    def run(self, servers: Iterable[str], recover: Callable[[str], None]) -> None:
        """Have every server recovered that is down, and delete what was left of deletions and copies.

        Files that take longer than `BRIEF` seconds are deleted on while the caller goes on.
        """
        for key in servers:
            try:
                recover(key)
                self._told.pop(key, None)
            except (InstarError, OSError, subprocess.SubprocessError) as error:
                self._tell(key, str(error))

        if not self._clearing.is_alive():
            self._clearing = threading.Thread(target=self._clear, daemon=True)
            self._clearing.start()
        self._clearing.join(BRIEF)

    def _clear(self) -> None:
        try:
            self._delete_rest()
        except (OSError, InstarError) as error:
            _log.error("what was left behind is not deleted, tried again within moments: error=%s", error)

    def _tell(self, key: str, error: str) -> None:
        if self._told.get(key) != error:
            _log.error("server not recovered: server=%s error=%s", key, error)
            self._told[key] = error
