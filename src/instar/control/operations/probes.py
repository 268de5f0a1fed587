"""Probes: the owner's own questions to the database, kept on the instance, put around every upgrade."""

import re

from sqlalchemy import select
from sqlalchemy.orm import Session

from instar.control.engine.submit import refuse_if_busy
from instar.control.operations import inquiry, lookup
from instar.control.operations.desk import Caller, Desk
from instar.control.store.tables import Instance
from instar.wire.agent import Probe, ProbeResult, ProbesAnswer, ProbesParams
from instar.wire.errors import BadRequest, NotFound, OverLimit

MOST = 20
"""Probes of one instance: an upgrade runs them while clients are out."""
_NOT_CODE = re.compile(r"""'[^']*'|"[^"]*"|(\$\w*\$).*?\1|--[^\n]*|/\*.*?\*/""", re.DOTALL)
"""Strings, quoted names and comments: a semicolon in them ends nothing."""


def registered(instance: Instance) -> list[Probe]:
    """Give the probes of an instance, in the order they were registered."""
    return [Probe.model_validate(probe) for probe in (instance.probes or {}).get("probes", [])]


def add(desk: Desk, caller: Caller, instance_id: str, probe: Probe) -> None:
    """Register a probe. Raises NotFound, Busy, OverLimit, and BadRequest for one that can't be put."""
    refuse_unless_one_statement(probe.sql)
    with desk.store.begin() as session:
        instance = _locked(session, caller, instance_id)
        known = registered(instance)
        if any(probe.name == other.name for other in known):
            raise BadRequest(f"probe.name: there is a probe {probe.name} already", remedy="Delete it first")
        if len(known) >= MOST:
            raise OverLimit(f"An instance has {MOST} probes at most", remedy="Delete one first")
        _write(instance, [*known, probe])


def remove(desk: Desk, caller: Caller, instance_id: str, name: str) -> None:
    """Forget a probe. Raises NotFound, Busy."""
    with desk.store.begin() as session:
        instance = _locked(session, caller, instance_id)
        known = registered(instance)
        _write(instance, [probe for probe in known if probe is not find(instance_id, known, name)])


def find(instance_id: str, probes: list[Probe], name: str) -> Probe:
    """Find a probe by its name. Raises NotFound."""
    for probe in probes:
        if probe.name == name:
            return probe
    raise NotFound(f"Probe '{name}' of instance {instance_id} cannot be found")


def run(desk: Desk, caller: Caller, instance_id: str) -> list[ProbeResult]:
    """Put every probe of an instance now. Raises as an inquiry does."""
    with desk.store.read() as session:
        probes = registered(lookup.instance(session, caller, instance_id))
    params = ProbesParams(probes=probes).model_dump()
    answer = inquiry.ask(desk, caller, instance_id, "run_probes", params)
    return ProbesAnswer.model_validate(answer).results


def _locked(session: Session, caller: Caller, instance_id: str) -> Instance:
    """Find an instance and keep other requests from changing it. Raises NotFound, Busy."""
    session.execute(select(Instance.id).where(Instance.id == instance_id).with_for_update())
    instance = lookup.instance(session, caller, instance_id)
    refuse_if_busy(session, instance.id)
    return instance


def _write(instance: Instance, probes: list[Probe]) -> None:
    instance.probes = {"probes": [probe.model_dump() for probe in probes]}


def refuse_unless_one_statement(sql: str) -> None:
    """Raise BadRequest unless the text holds one statement: the database itself is the judge of the rest."""
    code = _NOT_CODE.sub(" ", sql).strip().removesuffix(";").strip()
    if not code:
        raise BadRequest("probe.sql: holds no statement")
    if ";" in code:
        raise BadRequest("probe.sql: must be one statement", remedy="Register a probe for each")
