"""What `volume.json` holds."""

from pydantic import BaseModel


class SnapshotRecord(BaseModel):
    """A snapshot: its volume's size at that moment, and the number of the copy that is to become it."""

    name: str
    size: int
    number: str
    ready: bool = False


class RevertRecord(BaseModel):
    """A revert under way: to which snapshot (its key), by which copy.

    `emptied` means that there was no room beside the data, which was deleted first.
    """

    snapshot: str
    number: str
    emptied: bool = False


class VolumeRecord(BaseModel):
    """A volume: `size` is in GiB, `snapshots` are listed by their keys."""

    name: str
    size: int
    attached_to: str | None = None
    snapshots: dict[str, SnapshotRecord] = {}
    revert: RevertRecord | None = None
