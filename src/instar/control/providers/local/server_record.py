"""What `server.json` holds. The machine reads all but the tokens and what has to do with the volume."""

from typing import Literal

from pydantic import BaseModel

from instar.control.providers.base import Handle

REMEMBERED = 50
"""How many tokens of each kind are remembered: enough that none returns after it was forgotten."""


class Build(BaseModel):
    """A root directory: the image that it was unpacked from, for the rebuild `token` (empty: the first)."""

    image: str | None = None
    token: str = ""
    ready: bool = False


class ServerRecord(BaseModel):
    """What is wanted of a server.

    `current` is the root before `next`; `next` is the one that was asked for last, and is in place once it
    was ready and has left the directory `next/`. `rebuilds` and `reboots` are the tokens that were begun,
    oldest first: none of them begins anything again, and so with `stops`. A server with a `halt` is to stay
    stopped: its stop was begun, or is done. It is `leaving` when its deletion was begun.
    """

    name: str
    key: str
    uid: int | None
    ram: int
    places: list[str]
    volume: Handle | None = None
    data: str | None = None
    boot: int = 0
    patience: float
    current: Build = Build()
    next: Build
    rebuilds: list[str] = []
    reboots: list[str] = []
    stops: list[str] = []
    halt: Literal["", "begun", "done"] = ""
    leaving: bool = False


def remember(tokens: list[str], token: str) -> list[str]:
    """Add a token to those that were begun, forgetting the oldest."""
    return [*tokens, token][-REMEMBERED:]
