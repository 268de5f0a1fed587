"""The logs of an instance: which there are. They stay on its server, so none of them can be published."""

from instar.control.api import instances
from instar.control.api.call import Call
from instar.control.catalog import managers
from instar.wire import rest


def index(call: Call) -> rest.LogsAnswer:
    """List an instance's logs; administrators see the guest agent's own as well."""
    with call.desk.store.read() as session:
        manager = instances.find(session, call, call.path["instance_id"]).version.manager
    logs = [_log(name, "USER") for name in managers.find(manager).logs]
    return rest.LogsAnswer(logs=[*logs, *([_log("guest", "SYS")] if call.viewer.is_admin else [])])


def _log(name: str, kind: str) -> rest.Log:
    return rest.Log(
        name=name,
        type=kind,
        status="Unavailable",
        published=0,
        pending=0,
        container=None,
        prefix=None,
        metafile=None,
    )
