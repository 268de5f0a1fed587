"""New values for a server that serves on: in force, or told to wait, or refused with nothing changed."""

from collections.abc import Callable
from typing import Any

import pytest
from engines import DATABASE, every_engine
from guest_machine import USER, Machine

from instar.wire.errors import BadRequest, GuestError


@pytest.fixture(params=every_engine())
def machine(request: pytest.FixtureRequest, make_machine: Callable[..., Machine]) -> Machine:
    machine = make_machine(request.param)
    machine.job("create", "prepare", databases=[{"name": DATABASE}], users=[USER])
    return machine


def apply(machine: Machine, name: str, **values: Any) -> dict[str, Any]:
    return machine.job(name, "apply_configuration", configuration=values)


def shown(machine: Machine, parameter: str) -> str:
    with machine.connect() as client:
        return str(client.value(machine.engine.shown(parameter)))


def test_values_are_in_force_or_wait_for_a_restart(machine: Machine) -> None:
    (quick, value, default), (slow, later, before) = machine.engine.at_once, machine.engine.by_restart
    told = apply(machine, "a", **{quick: value, slow: later})
    assert told == {"in_force": [quick], "pending_restart": [slow], "overridden": []}
    assert apply(machine, "again", **{quick: value, slow: later}) == told
    assert (shown(machine, quick), shown(machine, slow)) == (value, before)
    machine.job("restart", "restart")
    assert (shown(machine, quick), shown(machine, slow)) == (value, later)
    told = apply(machine, "b", **{slow: later})
    assert told == {"in_force": sorted([quick, slow]), "pending_restart": [], "overridden": []}
    assert shown(machine, quick) == default


def test_one_refused_value_is_named_and_nothing_changes(machine: Machine) -> None:
    (quick, value, default), (slow, later, _) = machine.engine.at_once, machine.engine.by_restart
    for number, (name, wrong) in enumerate(machine.engine.refused):
        with pytest.raises(GuestError, match=name.split("_")[0]):
            apply(machine, f"refused-{number}", **{quick: value, slow: later, name: wrong})
        assert shown(machine, quick) == default
    machine.job("restart", "restart")
    assert (shown(machine, quick), shown(machine, slow)) == (default, machine.engine.by_restart[2])


def test_what_belongs_to_the_instance_is_refused(machine: Machine) -> None:
    for name in machine.engine.identity:
        with pytest.raises(BadRequest, match=f"(?i){name}"):
            apply(machine, name, **{name: "1"})


def test_server_that_is_stopped_takes_values_and_stays_so(machine: Machine) -> None:
    slow, later, _ = machine.engine.by_restart
    machine.job("stop", "stop")
    assert apply(machine, "a", **{slow: later})["in_force"] == [slow]
    with pytest.raises(BadRequest, match="port"):
        apply(machine, "b", port=1)
    assert machine.status() == "SHUTDOWN"
    machine.job("start", "start")
    assert shown(machine, slow) == later
