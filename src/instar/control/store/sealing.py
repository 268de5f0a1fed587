"""Passwords on their way through the record store: sealed with a key that lies outside of it."""

import json
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken

from instar.control.store.private import write_private
from instar.wire.errors import InstarError


class Sealer:
    """Seals JSON objects into text and opens them again; the text tells nothing without the key."""

    def __init__(self, key: bytes) -> None:
        self._fernet = Fernet(key)

    @classmethod
    def from_file(cls, path: Path) -> "Sealer":
        """Read the key, making the file (mode 0600) when there is none."""
        if not path.exists():
            write_private(path, Fernet.generate_key().decode())
        return cls(path.read_bytes().strip())

    def seal(self, secrets: dict[str, Any]) -> str | None:
        """Seal `secrets`; nothing to seal gives None."""
        return self._fernet.encrypt(json.dumps(secrets).encode()).decode() if secrets else None

    def open(self, sealed: str | None) -> dict[str, Any]:
        """Open what was sealed. Raises InstarError when the key is another one."""
        if not sealed:
            return {}
        try:
            opened: dict[str, Any] = json.loads(self._fernet.decrypt(sealed.encode()))
        except InvalidToken:
            raise InstarError(
                "Sealed values in the record store can't be opened with this host's key",
                remedy="Give every API and worker host the same file (setting [store] seal_key_file).",
            ) from None
        return opened
