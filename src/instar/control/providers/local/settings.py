"""What the local provider is told: where its state lies and what it may hand out."""

import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LocalSettings:
    """Settings of the local provider.

    `uid_base` and `uid_count` bound the user ids that servers get when we are root; the default range is one
    that no distribution hands out. `interpreter` runs the machines.
    """

    state_dir: Path
    image_dir: Path
    flavors_file: Path | None = None
    address_range: str = "127.64.0.0/10"
    uid_base: int = 0x70000000
    uid_count: int = 0x10000000
    interpreter: str = sys.executable
