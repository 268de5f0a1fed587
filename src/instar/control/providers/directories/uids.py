"""User ids of servers: one each, when we are root."""

import zlib
from collections.abc import Iterable
from pathlib import Path


def pick(server: Path, taken: Iterable[int | None], base: int, count: int) -> int:
    """Pick a free uid by a server's directory, so that two control planes pick different ones."""
    used, begin = set(taken), zlib.crc32(str(server.absolute()).encode())
    return next(uid for step in range(count) if (uid := base + (begin + step) % count) not in used)
