"""Values held against a version's catalogue of parameters, and translated for another version.

Everything but `read` is pure. The plan of an upgrade stands on `check`, `translate`, `carried` and `read`:
their signatures are part of the house's contract.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.orm import Session

from instar.control.catalog import values as spelling
from instar.control.catalog.dialects import Dialect, key
from instar.control.store.tables import DatastoreVersion, ParameterRow
from instar.wire.agent import Parameter
from instar.wire.errors import Finding, Severity
from instar.wire.plans import Translation
from instar.wire.secrets import HIDDEN, is_secret

_CATALOGUE = TypeAdapter(list[Parameter])
UNKNOWN = "parameters"
"""`check` of the one finding that tells of an unknown catalogue; each value's is `configuration.<name>`."""


def read(session: Session, version: DatastoreVersion | str) -> list[Parameter]:
    """Give the catalogue of a version (or of its id) by name; empty while it is not known."""
    version_id = version if isinstance(version, str) else version.id
    query = select(ParameterRow.body).where(ParameterRow.version_id == version_id).order_by(ParameterRow.name)
    return _CATALOGUE.validate_python([body for body in session.execute(query).scalars() if body])


def names(session: Session, version_id: str) -> list[str]:
    """List the names of a version's catalogue; empty while it is not known."""
    own = ParameterRow.version_id == version_id
    told = select(ParameterRow.name).where(own, ParameterRow.edited.is_(False))
    edited = select(ParameterRow.name, ParameterRow.body).where(own, ParameterRow.edited.is_(True))
    kept = [name for name, body in session.execute(edited) if body]
    return sorted([*session.execute(told).scalars(), *kept])


def check(
    catalogue: Sequence[Parameter], values: Mapping[str, Any], dialect: Dialect = "postgresql"
) -> list[Finding]:
    """Find what is wrong with values: unknown, `fixed`, of the wrong type, out of range, not in the enum.

    Every finding blocks, but for two notes: a name with a dot belongs to an extension and is not checked, and
    an empty catalogue means that nothing is known. What is secret is not repeated in a finding. Of settings
    that were read back from a database, leave the fixed ones out: the instance itself has them.
    """
    known = _by_name(catalogue)
    told = bool(catalogue)
    findings = [_finding(name, known, value, dialect, told=told) for name, value in values.items()]
    unknown = [_unknown_catalogue()] if values and not catalogue else []
    return unknown + [finding for finding in findings if finding] + _twice(values)


def translate(
    values: Mapping[str, Any],
    before: Sequence[Parameter],
    after: Sequence[Parameter],
    renames: Mapping[str, str],
    dialect: Dialect = "postgresql",
) -> list[Translation]:
    """Say what becomes of each value in a version with another catalogue, by name.

    `renames` is old name -> new name (`renames.between`). Parameters without a value whose default changes
    follow as "default changed", their `value` being the old default and `target_value` the new one.
    "invalid" and "removed" ones have no `target_name`; with an empty `after` everything is "kept", unchecked.
    """
    old, new = _by_name(before), _by_name(after)
    moved = {key(name): target for name, target in renames.items()}
    found = [_translated(name, value, old, new, moved, dialect) for name, value in sorted(values.items())]
    named = {key(each.name) for each in found} | {key(each.target_name or "") for each in found}
    return found + [each for each in _new_defaults(old, new) if key(each.name) not in named]


def carried(values: Mapping[str, Any], translations: Iterable[Translation]) -> dict[str, Any]:
    """Give the values as the target version takes them: kept and renamed ones."""
    moved = [each for each in translations if each.change in ("kept", "renamed")]
    return {each.target_name or each.name: values[each.name] for each in moved}


def spelt(catalogue: Sequence[Parameter], values: Mapping[str, Any]) -> dict[str, Any]:
    """Give the values under the names that the catalogue spells."""
    known = _by_name(catalogue)
    return {known[key(name)].name if key(name) in known else name: values[name] for name in values}


def _by_name(catalogue: Iterable[Parameter]) -> dict[str, Parameter]:
    return {key(parameter.name): parameter for parameter in catalogue}


def _finding(
    name: str, known: Mapping[str, Parameter], value: Any, dialect: Dialect, *, told: bool
) -> Finding | None:
    """Make the finding on one value; `told` says whether there is a catalogue."""
    parameter = known.get(key(name))
    wrong = spelling.wrong(value, parameter, dialect)
    if wrong:
        shown = "" if is_secret(name) else f" {spelling.text(value)[:100]!r}"
        return _of(name, f"the value{shown} of {name} {wrong}", spelling.remedy(parameter, dialect))
    if parameter and parameter.fixed:
        return _of(name, f"{name} can't be set: it belongs to what the instance is", "Leave it out.")
    if parameter or not told:
        return None
    if _is_of_extension(name, dialect):
        return _of(name, f"{name} belongs to an extension, its value was not checked", "", Severity.NOTE)
    return _of(name, f"this version knows no parameter {name}", "See `instar parameter list`.")


def _is_of_extension(name: str, dialect: Dialect) -> bool:
    return dialect == "postgresql" and "." in name


def _of(name: str, seen: str, remedy: str, severity: Severity = Severity.BLOCK) -> Finding:
    return Finding(check=f"configuration.{name}", severity=severity, seen=seen, remedy=remedy)


def _unknown_catalogue() -> Finding:
    return Finding(
        check=UNKNOWN,
        severity=Severity.NOTE,
        seen="the version's parameters are not known: its image tells none, so the values were not checked",
        remedy="Use an image that was built with its catalogue.",
    )


def _twice(values: Mapping[str, Any]) -> list[Finding]:
    spelt_alike = [key(name) for name in values]
    twice = sorted({name for name in spelt_alike if spelt_alike.count(name) > 1})
    return [_of(name, f"{name} stands there twice", "Leave one of them out.") for name in twice]


def _translated(
    name: str,
    value: Any,
    old: Mapping[str, Parameter],
    new: Mapping[str, Parameter],
    renames: Mapping[str, str],
    dialect: Dialect,
) -> Translation:
    told = HIDDEN if is_secret(name) else spelling.text(value)
    there = key(name) if key(name) in new else key(renames.get(key(name), name))
    if not new or (there not in new and _is_of_extension(name, dialect)):
        note = "not checked: it belongs to an extension" if new else "not checked: the catalogue is unknown"
        return Translation(
            name=name, value=told, change="kept", target_name=name, target_value=told, note=note
        )
    if there not in new:
        note = "the target version has no such parameter"
        return Translation(name=name, value=told, change="removed", note=note)
    target, source = new[there], old.get(key(name))
    wrong = _obstacle(value, source, target, dialect)
    if wrong:
        return Translation(name=name, value=told, change="invalid", note=f"{target.name}: the value {wrong}")
    renamed = key(target.name) != key(name)
    return Translation(
        name=name,
        value=told,
        change="renamed" if renamed else "kept",
        target_name=target.name,
        target_value=told,
        note=_default_note(source, target),
    )


def _obstacle(value: Any, source: Parameter | None, target: Parameter, dialect: Dialect) -> str:
    """Say why a value can't be taken over, empty when it can."""
    if target.fixed and not (source and source.fixed):
        return "can't be set there: it belongs to what the instance is"
    if dialect == "postgresql" and source and source.unit != target.unit and spelling.is_bare(value):
        return (
            f"has no unit, and a bare number means {source.unit or 'a count'} here and "
            f"{target.unit or 'a count'} there: write the unit"
        )
    return spelling.wrong(value, target, dialect)


def _default_note(source: Parameter | None, target: Parameter) -> str:
    if source is None or not spelling.differ(source, target):
        return ""
    return f"the default changes from {source.default} to {target.default}; the value set here stays"


def _new_defaults(old: Mapping[str, Parameter], new: Mapping[str, Parameter]) -> list[Translation]:
    both = [(old[name], new[name]) for name in sorted(old) if name in new]
    return [
        Translation(
            name=source.name,
            value=spelling.default(source),
            change="default changed",
            target_name=target.name,
            target_value=spelling.default(target),
            note="not set here: the new default holds",
        )
        for source, target in both
        if not target.fixed and spelling.differ(source, target)
    ]
