"""What the crash suite saw, one JSON line a cell, where `INSTAR_FAULT_ROWS` names a file."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One cell: `seconds` is how long the record says that nobody could connect, None where it does not say.

    `points` is how many points of the step were struck.
    """

    where: str
    story: str
    step: str
    fault: str
    end: str
    lost: int = 0
    leaked: int = 0
    seconds: float | None = None
    points: int = 1


def write(row: Row) -> None:
    """Add a row to the file, if one is wanted."""
    if path := os.environ.get("INSTAR_FAULT_ROWS"):
        with Path(path).open("a") as file:
            file.write(json.dumps(asdict(row)) + "\n")
