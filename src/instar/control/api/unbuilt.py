"""Calls of Trove's that Instar knows and does not build: one table, a sentence for each, 501 for all.

Whoever sends one has a valid token; nothing else of the request is looked at.
"""

from collections.abc import Callable

from instar.control.api.call import Call
from instar.control.api.routing import Access, Route
from instar.wire.errors import NotSupported

_ONE = "/instances/{instance_id}"
_BACKUPS = "Instar makes no backups: the snapshots that upgrades keep are no substitute for them."
_STRATEGIES = "Instar makes no backups, so there is no strategy for them."
_MODULES = "Instar installs no modules: what a guest runs is its image's."
_CLUSTERS = "Instar has no clusters: every instance stands for itself."
_TLS = "Certificates of the database's own can't be managed through Instar."
_LOGS = "Logs stay on the instance's server; they can't be published."
_MACHINE = "Instar does not look into the guest's system; see the instance's status and its operations."

# fmt: off
_CALLS: tuple[tuple[str, str], ...] = (
    # sentence, calls
    (_BACKUPS, "GET /backups, POST /backups, GET /backups/{backup_id}, DELETE /backups/{backup_id}"),
    (_BACKUPS, f"GET {_ONE}/backups"),
    (_STRATEGIES, "GET /backup_strategies, POST /backup_strategies, DELETE /backup_strategies"),
    (_LOGS, f"POST {_ONE}/log"),
    (_TLS, f"GET {_ONE}/ssl, POST {_ONE}/ssl"),
    (_MODULES, "GET /modules, POST /modules"),
    (_MODULES, "GET /modules/{module_id}, PUT /modules/{module_id}, DELETE /modules/{module_id}"),
    (_MODULES, "GET /modules/{module_id}/instances, PUT /modules/{module_id}/instances"),
    (_MODULES, f"GET {_ONE}/modules, POST {_ONE}/modules, DELETE {_ONE}/modules/{{module_id}}"),
    (_CLUSTERS, "GET /clusters, POST /clusters"),
    (_CLUSTERS, "GET /clusters/{cluster_id}, POST /clusters/{cluster_id}, DELETE /clusters/{cluster_id}"),
    (_CLUSTERS, "GET /clusters/{cluster_id}/root, POST /clusters/{cluster_id}/root"),
    (_CLUSTERS, "GET /clusters/{cluster_id}/instances/{instance_id}"),
)
_ADMIN_CALLS: tuple[tuple[str, str], ...] = (
    (_MACHINE, f"GET /mgmt{_ONE}/diagnostics, GET /mgmt{_ONE}/hwinfo, GET /mgmt{_ONE}/rpc_ping"),
    ("Upgrades go by PATCH of the instance, with a datastore version.", f"POST /mgmt{_ONE}/upgrade"),
    (_CLUSTERS, "GET /mgmt/clusters, GET /mgmt/clusters/{cluster_id}"),
    (_CLUSTERS, "POST /mgmt/clusters/{cluster_id}/action"),
)
# fmt: on


def _refusing(sentence: str) -> Callable[[Call], None]:
    def refuse(_call: Call) -> None:
        raise NotSupported("Instar does not serve this call", seen=sentence)

    return refuse


def _routes(calls: tuple[tuple[str, str], ...], access: Access) -> tuple[Route, ...]:
    return tuple(
        Route(method, path, _refusing(sentence), status=501, access=access)
        for sentence, several in calls
        for method, path in (call.split(" ") for call in several.split(", "))
    )


UNBUILT = _routes(_CALLS, Access.PROJECT) + _routes(_ADMIN_CALLS, Access.ADMIN)
