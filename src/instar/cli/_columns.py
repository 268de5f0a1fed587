"""How things of the service become columns."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cliff.columns import FormattableColumn

from instar.cli._command import Columns

if TYPE_CHECKING:
    from instar.wire.rest import Configuration, DatastoreVersion, Instance, Operation, Parameter, Step


class Lines(FormattableColumn[list[Any]]):
    """A list: a line for each item on a terminal, a list for programs."""

    def human_readable(self) -> str:
        """Give the lines."""
        return "\n".join(str(item) for item in self._value)


class Fields(FormattableColumn[Mapping[str, Any]]):
    """A mapping: `key: value` lines on a terminal, an object for programs."""

    def human_readable(self) -> str:
        """Give the lines."""
        return "\n".join(f"{key}: {value}" for key, value in self._value.items() if value not in (None, ""))


class Problem(FormattableColumn[Mapping[str, Any]]):
    """An error with its findings."""

    def human_readable(self) -> str:
        """Give a line for each part of the error and for each finding."""
        parts = Fields({key: value for key, value in self._value.items() if key != "findings"})
        found = [f"{each['severity']}: {each['check']}: {each['seen']}" for each in self._value["findings"]]
        return "\n".join([parts.human_readable(), *found])


class Steps(FormattableColumn[list[dict[str, Any]]]):
    """The steps of an operation."""

    def human_readable(self) -> str:
        """Give a line for each step."""
        return "\n".join(
            step_line(step["name"], step["state"].lower(), step.get("seconds"), step.get("reason", ""))
            for step in self._value
        )


def step_line(name: str, word: str, seconds: float | None, note: str = "") -> str:
    """Give the line that tells of one step."""
    took = "" if seconds is None else f"{seconds:8.2f} s"
    return f"{name:<16} {word:<8}{took:<10}  {note}".rstrip()


def one(fields: Mapping[str, Any]) -> Columns:
    """Show one thing: what is None is left out."""
    shown = {key: value for key, value in fields.items() if value is not None}
    return list(shown), list(shown.values())


def instance(found: "Instance", **more: Any) -> Columns:
    """Show an instance."""
    volume = found.volume or {}
    return one(
        {
            "id": found.id,
            "name": found.name,
            "status": found.status,
            "operating_status": found.operating_status,
            "datastore": found.datastore.get("type"),
            "datastore_version": found.datastore.get("version"),
            "engine_version": found.engine_version,
            "image": found.image,
            "agent_version": found.agent_version,
            "address": address(found),
            "port": found.port,
            "configuration": (found.configuration or {}).get("name"),
            "undo": found.undo and Fields(found.undo.model_dump()),
            "undo_window": found.undo_window,
            "flavor": found.flavor.get("id"),
            "volume_id": found.volume_id,
            "volume_size": volume.get("size"),
            "volume_used": volume.get("used"),
            "operation": found.operation and Fields(found.operation),
            "fault": found.fault and Fields(found.fault.model_dump()),
            "created": found.created,
            "updated": found.updated,
            **more,
        }
    )


def address(found: "Instance") -> str | None:
    """Give the address, or the addresses, or the host name of an instance."""
    return ", ".join(one.address for one in found.addresses or []) or found.hostname


def operation(found: "Operation") -> Columns:
    """Show an operation, with its steps where they are told."""
    return one(
        {
            "id": found.id,
            "kind": found.kind,
            "instance": found.instance_name or found.instance_id,
            "instance_id": found.instance_id,
            "state": found.state.value,
            "step": found.step,
            "reason": found.reason or None,
            "seconds": found.seconds,
            "downtime_seconds": found.downtime_seconds,
            "outage": Fields(_outage(found.outage)) if found.outage else None,
            "overridden": Lines([f"{each.check}: {each.seen}" for each in found.overridden])
            if found.overridden
            else None,
            "findings": Lines([f"{each.severity} {each.check}: {each.seen}" for each in found.findings])
            if found.findings
            else None,
            "text_ordering": Fields(found.text_ordering) if found.text_ordering else None,
            "actor": found.actor or None,
            "inputs": Fields(found.inputs) if found.inputs else None,
            "steps": Steps([_step(step) for step in found.steps]) if found.steps else None,
            "error": Problem(found.error.model_dump(mode="json")) if found.error else None,
            "turned_back_at": found.turned_back_at,
            "came_back": found.came_back or None,
            "verbs": Lines(found.verbs) if found.verbs else None,
            "created": found.created,
            "ended": found.ended,
        }
    )


def configuration(found: "Configuration") -> Columns:
    """Show a configuration group."""
    return one(
        {
            "id": found.id,
            "name": found.name,
            "description": found.description,
            "datastore": found.datastore_name,
            "datastore_version": found.datastore_version_name,
            "values": Fields(found.values or {}),
            "instance_count": found.instance_count,
            "created": found.created,
            "updated": found.updated,
        }
    )


def parameter(found: "Parameter") -> Columns:
    """Show a parameter."""
    return one(
        {
            "name": found.name,
            "type": found.type,
            "default": found.default,
            "minimum": found.min,
            "maximum": found.max,
            "unit": found.unit,
            "values": Lines(found.values) if found.values else None,
            "restart_required": found.restart_required,
            "description": found.description,
        }
    )


def version(found: "DatastoreVersion") -> Columns:
    """Show a datastore version."""
    return one(
        {
            "id": found.id,
            "name": found.name,
            "version": found.version,
            "datastore": found.datastore,
            "active": found.active,
            "image": found.image,
            "upgrade_from": Lines(found.upgrade_from) if found.upgrade_from else None,
        }
    )


def _outage(outage: Mapping[str, Any]) -> dict[str, Any]:
    """Give what says how long it was, and how exactly that is known."""
    from instar.wire.outages import OutageView

    seen = OutageView.model_validate(outage)
    exact = {name: round(getattr(seen, name), 3) for name in ("seconds", "longest", "resolution")}
    return {**exact, "count": seen.count, "whole": seen.whole}


def _step(step: "Step") -> dict[str, Any]:
    return step.model_dump(mode="json", exclude_none=True)
