"""What `server.json` holds. The machine reads all but the tokens and what has to do with the volume."""

from pydantic import BaseModel

from instar.control.providers.directories.servers import KeptServer


class Build(BaseModel):
    """A root directory: the image that it was unpacked from, for the rebuild `token` (empty: the first)."""

    image: str | None = None
    token: str = ""
    ready: bool = False


class ServerRecord(KeptServer):
    """What is wanted of a server.

    `current` is the root before `next`; `next` is the one that was asked for last, and is in place once it
    was ready and has left the directory `next/`. `patience` is in seconds.
    """

    places: list[str]
    boot: int = 0
    patience: float
    current: Build = Build()
    next: Build
