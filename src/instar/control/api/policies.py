"""Who may do what: oslo.policy rules under the names that Trove's operators know."""

from collections.abc import Iterator

from oslo_config import cfg
from oslo_policy import opts, policy

from instar.control.api.auth import Identity
from instar.wire.errors import Forbidden

_ADMIN = "rule:admin"
_OWNER = "rule:admin_or_owner"

_BASE = [
    policy.RuleDefault("is_admin", "role:admin", "Who is an administrator."),
    policy.RuleDefault("admin", "rule:is_admin", "Administrators only."),
    policy.RuleDefault(
        "admin_or_owner", "rule:is_admin or project_id:%(tenant)s", "Administrators and the owning project."
    ),
]

_INSTANCES = "/v1.0/{project}/instances"
_INSTANCE = f"{_INSTANCES}/{{instance_id}}"
_ACTION = f"{_INSTANCE}/action"
_DATASTORES = "/v1.0/{project}/datastores"
_OPERATION = "/v1.0/{project}/operations/{operation_id}"
_GROUPS = "/v1.0/{project}/configurations"
_GROUP = f"{_GROUPS}/{{configuration_id}}"
_PARAMETERS = f"{_DATASTORES}/{{datastore}}/versions/{{version}}/parameters"
_PARAMETERS_BY_VERSION = f"{_DATASTORES}/versions/{{version_id}}/parameters"

_RULES: tuple[tuple[str, str, str, str], ...] = (
    # name, default, method, path
    ("instance:create", _OWNER, "POST", _INSTANCES),
    ("instance:delete", _OWNER, "DELETE", _INSTANCE),
    ("instance:force_delete", _OWNER, "POST", _ACTION),
    ("instance:index", _OWNER, "GET", _INSTANCES),
    ("instance:detail", _OWNER, "GET", f"{_INSTANCES}/detail"),
    ("instance:show", _OWNER, "GET", _INSTANCE),
    ("instance:update", _OWNER, "PATCH", _INSTANCE),
    ("instance:restart", _OWNER, "POST", _ACTION),
    ("instance:reboot", _OWNER, "POST", _ACTION),
    ("instance:rollback", _OWNER, "POST", _ACTION),
    ("instance:resize_volume", _OWNER, "POST", _ACTION),
    ("instance:resize_flavor", _OWNER, "POST", _ACTION),
    ("instance:guest_log_list", _OWNER, "GET", f"{_INSTANCE}/log"),
    ("instance:reset_status", _ADMIN, "POST", _ACTION),
    ("instance:promote_to_replica_source", _OWNER, "POST", _ACTION),
    ("instance:eject_replica_source", _OWNER, "POST", _ACTION),
    ("instance:extension:root:create", _OWNER, "POST", f"{_INSTANCE}/root"),
    ("instance:extension:root:delete", _OWNER, "DELETE", f"{_INSTANCE}/root"),
    ("instance:extension:root:index", _OWNER, "GET", f"{_INSTANCE}/root"),
    ("instance:extension:user:create", _OWNER, "POST", f"{_INSTANCE}/users"),
    ("instance:extension:user:delete", _OWNER, "DELETE", f"{_INSTANCE}/users/{{user}}"),
    ("instance:extension:user:index", _OWNER, "GET", f"{_INSTANCE}/users"),
    ("instance:extension:user:show", _OWNER, "GET", f"{_INSTANCE}/users/{{user}}"),
    ("instance:extension:user:update", _OWNER, "PUT", f"{_INSTANCE}/users/{{user}}"),
    ("instance:extension:user:update_all", _OWNER, "PUT", f"{_INSTANCE}/users"),
    ("instance:extension:user_access:update", _OWNER, "PUT", f"{_INSTANCE}/users/{{user}}/databases"),
    (
        "instance:extension:user_access:delete",
        _OWNER,
        "DELETE",
        f"{_INSTANCE}/users/{{user}}/databases/{{database}}",
    ),
    ("instance:extension:user_access:index", _OWNER, "GET", f"{_INSTANCE}/users/{{user}}/databases"),
    ("instance:extension:database:create", _OWNER, "POST", f"{_INSTANCE}/databases"),
    ("instance:extension:database:delete", _OWNER, "DELETE", f"{_INSTANCE}/databases/{{database}}"),
    ("instance:extension:database:index", _OWNER, "GET", f"{_INSTANCE}/databases"),
    ("datastore:index", "", "GET", _DATASTORES),
    ("datastore:show", "", "GET", f"{_DATASTORES}/{{datastore}}"),
    ("datastore:delete", _ADMIN, "DELETE", f"{_DATASTORES}/{{datastore}}"),
    ("datastore:version_index", "", "GET", f"{_DATASTORES}/{{datastore}}/versions"),
    ("datastore:version_show", "", "GET", f"{_DATASTORES}/{{datastore}}/versions/{{version}}"),
    ("datastore:version_show_by_uuid", "", "GET", f"{_DATASTORES}/versions/{{version_id}}"),
    (
        "datastore:list_associated_flavors",
        "",
        "GET",
        f"{_DATASTORES}/{{datastore}}/versions/{{version}}/flavors",
    ),
    (
        "datastore:list_associated_volume_types",
        "",
        "GET",
        f"{_DATASTORES}/{{datastore}}/versions/{{version}}/volume-types",
    ),
    ("instance:configuration", _OWNER, "GET", f"{_INSTANCE}/configuration"),
    ("configuration:create", _OWNER, "POST", _GROUPS),
    ("configuration:index", _OWNER, "GET", _GROUPS),
    ("configuration:show", _OWNER, "GET", _GROUP),
    ("configuration:update", _OWNER, "PUT", _GROUP),
    ("configuration:edit", _OWNER, "PATCH", _GROUP),
    ("configuration:delete", _OWNER, "DELETE", _GROUP),
    ("configuration:instances", _OWNER, "GET", f"{_GROUP}/instances"),
    ("configuration-parameter:index", "", "GET", _PARAMETERS),
    ("configuration-parameter:show", "", "GET", f"{_PARAMETERS}/{{parameter}}"),
    ("configuration-parameter:index_by_version", "", "GET", _PARAMETERS_BY_VERSION),
    ("configuration-parameter:show_by_version", "", "GET", f"{_PARAMETERS_BY_VERSION}/{{parameter}}"),
    ("flavor:index", "", "GET", "/v1.0/{project}/flavors"),
    ("flavor:show", "", "GET", "/v1.0/{project}/flavors/{flavor_id}"),
    ("limits:index", _OWNER, "GET", "/v1.0/{project}/limits"),
    ("quota:show", _OWNER, "GET", "/v1.0/{project}/mgmt/quotas/{owner}"),
    ("plan:index", _OWNER, "GET", f"{_INSTANCE}/plans"),
    ("plan:create", _OWNER, "POST", f"{_INSTANCE}/plans"),
    ("plan:show", _OWNER, "GET", f"{_INSTANCE}/plans/{{plan}}"),
    ("probe:index", _OWNER, "GET", f"{_INSTANCE}/probes"),
    ("probe:create", _OWNER, "POST", f"{_INSTANCE}/probes"),
    ("probe:show", _OWNER, "GET", f"{_INSTANCE}/probes/{{probe}}"),
    ("probe:delete", _OWNER, "DELETE", f"{_INSTANCE}/probes/{{probe}}"),
    ("probe:run", _OWNER, "POST", f"{_INSTANCE}/probe-results"),
    ("operation:index", _OWNER, "GET", f"{_INSTANCE}/operations"),
    ("operation:show", _OWNER, "GET", _OPERATION),
    ("operation:events", _OWNER, "GET", f"{_OPERATION}/events"),
    ("operation:resume", _OWNER, "POST", f"{_OPERATION}/action"),
    ("operation:rollback", _OWNER, "POST", f"{_OPERATION}/action"),
    ("operation:abort", _OWNER, "POST", f"{_OPERATION}/action"),
)


def list_rules() -> Iterator[policy.RuleDefault]:
    """Give every rule; oslo.policy's sample generator reads them here."""
    yield from _BASE
    for name, default, method, path in _RULES:
        yield policy.DocumentedRuleDefault(
            name, default, f"{method} {path}", [{"method": method, "path": path}]
        )


_OVERRIDES = "/etc/instar/policy.d"
"""Folder of files with overrides. oslo.policy would look in /etc too, where packages of other services put
rules of the same names."""


class Gate:
    """Asks oslo.policy; operators override rules in the policy file that `conf` names."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        opts.set_defaults(conf, policy_dirs=[_OVERRIDES])
        self._enforcer = policy.Enforcer(conf)
        self._enforcer.register_defaults(list(list_rules()))

    def is_admin(self, identity: Identity) -> bool:
        """Tell whether the caller is an administrator."""
        return self._allows("is_admin", identity)

    def authorise(self, rule: str, identity: Identity) -> None:
        """Let the caller pass, or raise Forbidden."""
        if not self._allows(rule, identity):
            raise Forbidden(f"Policy doesn't allow {rule} to be performed")

    def _allows(self, rule: str, identity: Identity) -> bool:
        credentials = {
            "project_id": identity.project,
            "user_id": identity.user,
            "roles": list(identity.roles),
        }
        target = {"tenant": identity.project, "project_id": identity.project}
        return bool(self._enforcer.authorize(rule, target, credentials))
