"""Whether the database should run: a word on the volume, so that it crosses from image to image."""

from enum import StrEnum
from pathlib import Path

from instar.agent import durable


class Desire(StrEnum):
    """What was asked for last."""

    NOTHING = "nothing"
    """Nobody has asked for anything yet."""
    RUNNING = "running"
    """It should run, and is started again whenever it does not."""
    STOPPED = "stopped"
    """It was stopped on purpose."""
    UPGRADING = "upgrading"
    """`pre_upgrade` stopped it; it waits for `post_upgrade`, or for `start`."""


def read(state: Path) -> Desire:
    """Tell what was asked for last."""
    try:
        return Desire((state / "desired").read_text().strip())
    except (FileNotFoundError, ValueError):
        return Desire.NOTHING


def write(state: Path, desire: Desire) -> None:
    """Remember what is asked for; what is remembered already needs no room on a full volume."""
    if read(state) is desire:
        return
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    durable.write(state / "desired", desire)
