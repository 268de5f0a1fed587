"""What `server.json` holds: what is wanted of a server, and which containers were made for it."""

from pydantic import BaseModel

from instar.control.providers.directories.servers import KeptServer


class Build(BaseModel):
    """A container: its number, its image, the rebuild that asked for it (empty: the first), its volume's key.

    `disk` is what the engine makes its root disk from where that is not the image: the root disk of the
    container before. `flavor` is the size that it was made with, None where an older release made it. One
    that is not `ready` may be half-made. It is `from_rest` when the server was stopped as it was made.
    """

    number: int
    image: str
    token: str = ""
    volume: str = ""
    disk: str = ""
    flavor: str | None = None
    ready: bool = False
    from_rest: bool = False


class ServerRecord(KeptServer):
    """What is wanted of a server.

    `current` is in place; `staged` was made beside it and has no files yet; `next` has them, and is to take
    the place of `current`: that it does is found from what the engine runs. `last` is the highest number that
    a container was given. `ends` is the start of the boot that a reboot which was begun is to end, or "none".
    """

    vcpus: int
    address: str
    hostname: str
    last: int = 0
    current: Build | None = None
    staged: Build | None = None
    next: Build | None = None
    ends: str = ""
