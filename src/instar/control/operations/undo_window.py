"""How long the upgrades of one instance can be undone: a change of its record only."""

from instar.control.operations import lookup
from instar.control.operations.desk import Caller, Desk


def request(desk: Desk, caller: Caller, instance_id: str, seconds: float | None) -> None:
    """Set an instance's undo window, None for the default; it counts from its next upgrade on.

    Raises NotFound.
    """
    with desk.store.begin() as session:
        instance = lookup.instance(session, caller, instance_id)
        instance.undo_window = seconds
        instance.updated = desk.store.now(session)
