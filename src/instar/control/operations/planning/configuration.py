"""The instance's configuration against the target version's catalogue of parameters.

Two kinds of values: those that the API put in force (a group's), which the upgrade carries over translated,
and those of the owner's own files, which cross as they are.
"""

from collections.abc import Iterator
from typing import Any

from instar.control.catalog import managers, parameters, renames
from instar.control.catalog.dialects import Dialect, key
from instar.control.operations.context import Context
from instar.control.operations.planning.sight import Sight
from instar.wire.errors import Finding, Severity
from instar.wire.plans import Translation, hash_of
from instar.wire.secrets import HIDDEN, is_secret

TOLD = 30
"""Changed defaults that are named one by one."""


def in_force(ctx: Context, sight: Sight) -> dict[str, Any]:
    """Give every value that is set: those of the files, and over them those of the API."""
    own = ctx.instance.settings or {}
    names = {key(name) for name in own}
    files = sight.read_back.settings if sight.read_back else {}
    return {**{name: value for name, value in files.items() if key(name) not in names}, **own}


def told(ctx: Context, sight: Sight) -> dict[str, Any]:
    """Give every value that is set as it may be shown and kept: none that may hold a password."""
    values = in_force(ctx, sight)
    return {name: HIDDEN if is_secret(name) else value for name, value in values.items()}


def basis(ctx: Context, sight: Sight, translated: list[Translation]) -> dict[str, Any]:
    """Give what a plan depends on beside the values that may be shown: where they go, and the secret ones."""
    secret = {name: value for name, value in in_force(ctx, sight).items() if is_secret(name)}
    moves = {each.name: each for each in translated if each.change != "default changed"}
    return {
        "configuration_moves": {name: [each.change, each.target_name] for name, each in moves.items()},
        "secret_values": hash_of(secret),
    }


def translations(ctx: Context, sight: Sight) -> list[Translation]:
    """Say of every value what becomes of it, and which defaults change."""
    names = renames.between(ctx.instance.version.manager, sight.engine_before(ctx), sight.engine_after(ctx))
    return parameters.translate(
        in_force(ctx, sight), sight.catalogue_before, sight.catalogue_after, names, _dialect(ctx)
    )


def _dialect(ctx: Context) -> Dialect:
    return managers.find(ctx.instance.version.manager).dialect


def findings(ctx: Context, sight: Sight, translated: list[Translation]) -> Iterator[Finding]:
    """Gather what the target refuses, and what a person should know."""
    values = in_force(ctx, sight)
    if not sight.catalogue_after:
        yield from parameters.check([], values, _dialect(ctx))
        return
    for each in translated:
        if each.change == "removed":
            yield _removed(ctx, sight, each.name)
        elif each.change == "invalid":
            yield from _refused(ctx, sight, each, values[each.name])
    yield from _told(translated)
    if ctx.instance.restart_required:
        yield _note("values that wait for a restart come into force with the upgrade")


def _removed(ctx: Context, sight: Sight, name: str) -> Finding:
    """Tell of a parameter that the target does not have, and where its value is to be taken out."""
    manager, there = ctx.instance.version.manager, sight.engine_after(ctx)
    why = renames.given_up(manager, sight.engine_before(ctx), there).get(key(name), "")
    seen = f"{name} is set, and version {there} has no such parameter" + (f": {why}" if why else "")
    return Finding(check=f"configuration.{name}", seen=seen, remedy=_take_out(ctx, name))


def _take_out(ctx: Context, name: str) -> str:
    if name not in (ctx.instance.settings or {}):
        return f"Take {name} out of the database's own configuration before the upgrade."
    group = ctx.instance.configuration_id
    return f"Take it out before the upgrade: instar configuration set {group} --unset {name}"


def _refused(ctx: Context, sight: Sight, translation: Translation, value: Any) -> list[Finding]:
    """Tell why in the words of the check, where it knows more than the translation."""
    name = translation.name
    told = parameters.check(sight.catalogue_after, {name: value}, _dialect(ctx))
    if blocking := [finding for finding in told if finding.severity is Severity.BLOCK]:
        return blocking
    remedy = "Change the value, or take it out, before the upgrade."
    return [Finding(check=f"configuration.{name}", seen=translation.note, remedy=remedy)]


def _told(translated: list[Translation]) -> Iterator[Finding]:
    for each in translated:
        if each.change == "renamed":
            yield _note(f"{each.name} becomes {each.target_name}")
    if changed := [each.name for each in translated if each.change == "default changed"]:
        more = f" and {len(changed) - TOLD} more" if changed[TOLD:] else ""
        yield _note(f"defaults change that nobody has set: {', '.join(changed[:TOLD])}{more}")


def _note(seen: str) -> Finding:
    return Finding(check="configuration", severity=Severity.NOTE, seen=seen)
