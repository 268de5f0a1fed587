"""The owner's probes of an instance."""

from instar.control.api import instances
from instar.control.api.call import Call
from instar.control.operations import probes
from instar.wire import rest
from instar.wire.agent import Probe


def index(call: Call) -> rest.ProbesAnswer:
    """List the probes."""
    return rest.ProbesAnswer(probes=_all(call))


def create(call: Call, body: rest.CreateProbeRequest) -> rest.ProbeAnswer:
    """Register a probe: a query with its expected answer, put before and after every upgrade."""
    probe = Probe(**body.probe.model_dump())
    probes.add(call.desk, call.caller, call.path["instance_id"], probe)
    return rest.ProbeAnswer(probe=probe)


def show(call: Call) -> rest.ProbeAnswer:
    """Show a probe."""
    return rest.ProbeAnswer(probe=probes.find(call.path["instance_id"], _all(call), call.path["probe"]))


def delete(call: Call) -> None:
    """Forget a probe."""
    probes.remove(call.desk, call.caller, call.path["instance_id"], call.path["probe"])


def run(call: Call) -> rest.ProbeResultsAnswer:
    """Put every probe to the database now."""
    return rest.ProbeResultsAnswer(results=probes.run(call.desk, call.caller, call.path["instance_id"]))


def _all(call: Call) -> list[Probe]:
    with call.desk.store.read() as session:
        return probes.registered(instances.find(session, call, call.path["instance_id"]))
