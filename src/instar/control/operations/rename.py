"""Rename: a change of the record alone."""

from instar.control.operations import lookup
from instar.control.operations.desk import Caller, Desk


def request(desk: Desk, caller: Caller, instance_id: str, name: str) -> None:
    """Give the instance another name; its hostname, part of its network identity, stays. Raises NotFound."""
    with desk.store.begin() as session:
        instance = lookup.instance(session, caller, instance_id)
        instance.name = name
        instance.updated = desk.store.now(session)
