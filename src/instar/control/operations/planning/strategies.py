"""How the new image takes the old one's place, and what each way would cost."""

from collections.abc import Callable, Iterator

from instar.control.engine.outcomes import Step
from instar.control.operations.context import Context
from instar.control.operations.planning.wanted import Wanted
from instar.control.providers.base import Abilities
from instar.wire.errors import Finding, NotSupported
from instar.wire.plans import Forecast, PlannedStrategy, Strategy, StrategyPolicy

_STEPS: dict[Strategy, frozenset[str]] = {
    "rebuild": frozenset({"stage", "rebuild"}),
    "replace": frozenset({"make_room", "standby", "hand_over"}),
}
"""Steps of an upgrade that only one strategy takes."""
_LACKS = "the provider has no way to hand a volume and an address from one server to another"


def choose(policy: StrategyPolicy, abilities: Abilities) -> Strategy:
    """Settle on a strategy: `auto` is replace where the provider can. Raises NotSupported."""
    if policy == "replace" and not abilities.replace:
        raise NotSupported(
            "instance.upgrade_strategy: the provider can't replace a server",
            seen=_LACKS,
            remedy="Use strategy rebuild, or auto.",
        )
    return "replace" if policy != "rebuild" and abilities.replace else "rebuild"


def compare(
    ctx: Context, wanted: Wanted, forecast: Callable[[Strategy], Forecast], until: str
) -> Iterator[PlannedStrategy]:
    """Tell of each strategy what it would cost; `until` says how long an old server is kept."""
    can = ctx.provider.abilities.replace
    yield PlannedStrategy(
        name="rebuild",
        chosen=wanted.strategy == "rebuild",
        forecast=forecast("rebuild"),
        resources="none beside the instance's own",
    )
    yield PlannedStrategy(
        name="replace",
        chosen=wanted.strategy == "replace",
        possible=can,
        reason="" if can else _LACKS,
        forecast=forecast("replace"),
        resources=f"one more server of flavor {ctx.instance.flavor_id} {until}, one more address meanwhile",
    )


def steps_of(strategy: Strategy, story: tuple[Step[Context], ...]) -> tuple[Step[Context], ...]:
    """Give the steps of the upgrade that a strategy takes."""
    others = _STEPS["rebuild" if strategy == "replace" else "replace"]
    return tuple(step for step in story if step.name not in others)


def findings(ctx: Context, wanted: Wanted) -> Iterator[Finding]:
    """Find that the provider has lost the ability since the request."""
    if wanted.strategy == "replace" and not ctx.provider.abilities.replace:
        yield Finding(check="strategy", seen=_LACKS, remedy="Use strategy rebuild.")
