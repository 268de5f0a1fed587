"""What the podman provider is told: where its state lies, which engine to use, what it may hand out."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PodmanSettings:
    """Settings of the podman provider.

    `socket` is the URL of an engine, such as unix:///run/podman/podman.sock; without one `service.py` says
    which is used. Each installation has a subnet of its own, of prefix length `subnet_prefix`, out of
    `subnets`. `uid_base` and `uid_count` bound the user ids of servers; the default range is one that no
    distribution hands out. `run_dir` is where our own engine service has its socket.
    """

    state_dir: Path
    image_dir: Path
    flavors_file: Path | None = None
    socket: str | None = None
    subnets: str = "10.213.0.0/16"
    subnet_prefix: int = 24
    uid_base: int = 0x70000000
    uid_count: int = 0x10000000
    run_dir: Path = Path("/run/instar")
