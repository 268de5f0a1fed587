"""What is wanted of a server, in its Nova metadata; a rebuild is begun by the request that writes it down.

instar_name       what we know it by; its tag, too
instar_image      the image that its root disk was last to be made from
instar_token      the token of the last rebuild
instar_rebuilds, instar_reboots, instar_stops
                  digests of the tokens that were begun, oldest first: as many as one value holds
instar_wanted     running or stopped
instar_start      due: Nova leaves a server stopped that was so before its rebuild; it is to be started yet
instar_reboot     the newest of Nova's actions on it when its last reboot was asked for
instar_told       the token of a rebuild whose failure was told: when it is asked for again, it is tried again
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields

PREFIX = "instar_"
RUNNING, STOPPED, DUE = "running", "stopped", "due"
_DIGEST = 10
_REMEMBERED = 255 // (_DIGEST + 1)
"""How many tokens of each kind are remembered: enough that none returns after it was forgotten."""


@dataclass(frozen=True)
class Wishes:
    """The metadata of ours; every value is text of at most 255 characters."""

    name: str = ""
    image: str = ""
    token: str = ""
    rebuilds: str = ""
    reboots: str = ""
    stops: str = ""
    wanted: str = RUNNING
    start: str = ""
    reboot: str = ""
    told: str = ""

    @classmethod
    def read(cls, metadata: Mapping[str, str]) -> "Wishes":
        """Read them from a server's metadata."""
        names = [each.name for each in fields(cls)]
        return cls(**{name: metadata[PREFIX + name] for name in names if PREFIX + name in metadata})

    def metadata(self) -> dict[str, str]:
        """Write them as metadata."""
        return {PREFIX + each.name: getattr(self, each.name) for each in fields(self)}


def knows(tokens: str, token: str) -> bool:
    """Tell whether a token was begun."""
    return _digest(token) in tokens.split()


def is_newest(tokens: str, token: str) -> bool:
    """Tell whether a token was the last to be begun."""
    return tokens.split()[-1:] == [_digest(token)]


def remember(tokens: str, token: str) -> str:
    """Add a token to those that were begun, forgetting the oldest."""
    return " ".join([*tokens.split(), _digest(token)][-_REMEMBERED:])


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()[:_DIGEST]
