"""Every route of the door, declared once."""

from instar.control.api import (
    actions,
    configurations,
    databases,
    datastores,
    events,
    flavors,
    instances,
    logs,
    mgmt_actions,
    mgmt_instances,
    mgmt_parameters,
    mgmt_versions,
    operations,
    parameters,
    plans,
    probes,
    quotas,
    root,
    users,
    versions,
)
from instar.control.api.paging import Page
from instar.control.api.routing import EVENT_STREAM, Access, Route
from instar.wire import rest

PUBLIC, ADMIN = Access.PUBLIC, Access.ADMIN

_ONE = "/instances/{instance_id}"
_USER = f"{_ONE}/users/{{user}}"
_VERSION = "/datastores/{datastore}/versions/{version}"
_MGMT = "/mgmt/datastore-versions"
_OPERATION = "/operations/{operation_id}"
_GROUP = "/configurations/{configuration_id}"
_PARAMETERS = "/datastores/versions/{version_id}/parameters"
_ROOT = "instance:extension:root"
_USERS = "instance:extension:user"
_ACCESS = "instance:extension:user_access"
_DATABASES = "instance:extension:database"

# fmt: off
ROUTES: tuple[Route, ...] = (
    Route("GET", "/", versions.index, access=PUBLIC, answer=rest.ApiVersionsAnswer),
    Route("GET", "/v1.0", versions.show, access=PUBLIC, answer=rest.ApiVersionAnswer),
    Route("GET", "/healthcheck", versions.health, access=PUBLIC, answer=rest.HealthAnswer),
    Route("GET", "/limits", quotas.limits, "limits:index", answer=rest.LimitsAnswer),

    Route("GET", "/instances", instances.index, "instance:index", answer=rest.InstancesAnswer, query=Page),
    Route("POST", "/instances", instances.create, "instance:create", 200, rest.CreateInstanceRequest,
          rest.InstanceAnswer),
    Route("GET", "/instances/detail", instances.detail, "instance:detail", answer=rest.InstancesAnswer,
          query=Page),
    Route("GET", _ONE, instances.show, "instance:show", answer=rest.InstanceAnswer),
    Route("PUT", _ONE, instances.update, "instance:update", 202, rest.UpdateInstanceRequest),
    Route("PATCH", _ONE, instances.update, "instance:update", 202, rest.UpdateInstanceRequest),
    Route("DELETE", _ONE, instances.delete, "instance:delete", 202),
    Route("POST", f"{_ONE}/action", actions.act, None, 202, rest.ActionRequest),
    Route("GET", f"{_ONE}/log", logs.index, "instance:guest_log_list", answer=rest.LogsAnswer),
    Route("GET", f"{_ONE}/versions", instances.versions, "instance:show", answer=rest.VersionsAnswer),
    Route("GET", f"{_ONE}/operations", operations.index, "operation:index", answer=rest.OperationsAnswer,
          query=Page),

    Route("GET", f"{_ONE}/plans", plans.index, "plan:index", answer=rest.PlansAnswer, query=Page),
    Route("POST", f"{_ONE}/plans", plans.create, "plan:create", 200, rest.CreatePlanRequest, rest.PlanAnswer,
          rest.PlanPending),
    Route("GET", f"{_ONE}/plans/{{plan}}", plans.show, "plan:show", answer=rest.PlanAnswer),
    Route("GET", f"{_ONE}/probes", probes.index, "probe:index", answer=rest.ProbesAnswer),
    Route("POST", f"{_ONE}/probes", probes.create, "probe:create", 200, rest.CreateProbeRequest,
          rest.ProbeAnswer),
    Route("GET", f"{_ONE}/probes/{{probe}}", probes.show, "probe:show", answer=rest.ProbeAnswer),
    Route("DELETE", f"{_ONE}/probes/{{probe}}", probes.delete, "probe:delete", 202),
    Route("POST", f"{_ONE}/probe-results", probes.run, "probe:run", answer=rest.ProbeResultsAnswer),

    Route("GET", f"{_ONE}/databases", databases.index, f"{_DATABASES}:index", answer=rest.DatabasesAnswer,
          query=Page),
    Route("POST", f"{_ONE}/databases", databases.create, f"{_DATABASES}:create", 202,
          rest.CreateDatabasesRequest),
    Route("DELETE", f"{_ONE}/databases/{{database}}", databases.delete, f"{_DATABASES}:delete", 202),
    Route("GET", f"{_ONE}/users", users.index, f"{_USERS}:index", answer=rest.UsersAnswer, query=Page),
    Route("POST", f"{_ONE}/users", users.create, f"{_USERS}:create", 202, rest.CreateUsersRequest),
    Route("PUT", f"{_ONE}/users", users.change_passwords, f"{_USERS}:update_all", 202,
          rest.ChangePasswordsRequest),
    Route("GET", _USER, users.show, f"{_USERS}:show", answer=rest.UserAnswer),
    Route("PUT", _USER, users.update, f"{_USERS}:update", 202, rest.UpdateUserRequest),
    Route("DELETE", _USER, users.delete, f"{_USERS}:delete", 202),
    Route("GET", f"{_USER}/databases", users.access, f"{_ACCESS}:index", answer=rest.DatabasesAnswer),
    Route("PUT", f"{_USER}/databases", users.grant, f"{_ACCESS}:update", 202, rest.GrantRequest),
    Route("DELETE", f"{_USER}/databases/{{database}}", users.revoke, f"{_ACCESS}:delete", 202),
    Route("GET", f"{_ONE}/root", root.show, f"{_ROOT}:index", answer=rest.RootAnswer),
    Route("POST", f"{_ONE}/root", root.enable, f"{_ROOT}:create", 200, rest.EnableRootRequest,
          rest.UserAnswer),
    Route("DELETE", f"{_ONE}/root", root.disable, f"{_ROOT}:delete", 204),

    Route("GET", "/datastores", datastores.index, "datastore:index", answer=rest.DatastoresAnswer),
    Route("GET", "/datastores/{datastore}", datastores.show, "datastore:show", answer=rest.DatastoreAnswer),
    Route("DELETE", "/datastores/{datastore}", datastores.delete, "datastore:delete", 202),
    Route("GET", "/datastores/{datastore}/versions", datastores.version_index, "datastore:version_index",
          answer=rest.VersionsAnswer),
    Route("GET", "/datastores/versions/{version_id}", datastores.version_show_by_id,
          "datastore:version_show_by_uuid",
          answer=rest.VersionAnswer),
    Route("GET", _VERSION, datastores.version_show, "datastore:version_show", answer=rest.VersionAnswer),
    Route("GET", f"{_VERSION}/flavors", flavors.of_version, "datastore:list_associated_flavors",
          answer=rest.FlavorsAnswer),
    Route("GET", f"{_VERSION}/volume-types", flavors.volume_types, "datastore:list_associated_volume_types",
          answer=rest.VolumeTypesAnswer),
    Route("GET", "/flavors", flavors.index, "flavor:index", answer=rest.FlavorsAnswer),
    Route("GET", "/flavors/{flavor_id}", flavors.show, "flavor:show", answer=rest.FlavorAnswer),

    Route("GET", "/mgmt/instances", mgmt_instances.index, access=ADMIN, answer=rest.InstancesAnswer,
          query=mgmt_instances.Page),
    Route("GET", f"/mgmt{_ONE}", mgmt_instances.show, access=ADMIN, answer=rest.InstanceAnswer,
          query=mgmt_instances.Living),
    Route("GET", f"/mgmt{_ONE}/root", mgmt_instances.root_history, access=ADMIN,
          answer=rest.RootHistoryAnswer),
    Route("POST", f"/mgmt{_ONE}/action", mgmt_actions.act, None, 202, rest.ActionRequest, access=ADMIN),
    Route("GET", "/mgmt/quotas/{owner}", quotas.show, "quota:show", answer=rest.QuotasAnswer),
    Route("PUT", "/mgmt/quotas/{owner}", quotas.update, None, 200, rest.UpdateQuotasRequest,
          rest.UpdatedQuotasAnswer, access=ADMIN),
    Route("GET", _MGMT, mgmt_versions.index, access=ADMIN, answer=rest.MgmtVersionsAnswer, query=Page),
    Route("POST", _MGMT, mgmt_versions.create, None, 202, rest.CreateVersionRequest, access=ADMIN),
    Route("GET", f"{_MGMT}/{{version_id}}", mgmt_versions.show, access=ADMIN, answer=rest.MgmtVersionAnswer),
    Route("PATCH", f"{_MGMT}/{{version_id}}", mgmt_versions.update, None, 202, rest.UpdateVersion,
          access=ADMIN),
    Route("DELETE", f"{_MGMT}/{{version_id}}", mgmt_versions.delete, None, 202, access=ADMIN),

    Route("GET", f"{_ONE}/configuration", parameters.defaults, "instance:configuration",
          answer=rest.DefaultsAnswer),

    Route("GET", "/configurations", configurations.index, "configuration:index",
          answer=rest.ConfigurationsAnswer, query=Page),
    Route("POST", "/configurations", configurations.create, "configuration:create", 200,
          rest.CreateConfigurationRequest, rest.ConfigurationAnswer),
    Route("GET", _GROUP, configurations.show, "configuration:show", answer=rest.ConfigurationAnswer),
    Route("PUT", _GROUP, configurations.replace, "configuration:update", 202,
          rest.UpdateConfigurationRequest),
    Route("PATCH", _GROUP, configurations.edit, "configuration:edit", 200, rest.UpdateConfigurationRequest),
    Route("DELETE", _GROUP, configurations.delete, "configuration:delete", 202),
    Route("GET", f"{_GROUP}/instances", configurations.instances, "configuration:instances",
          answer=rest.AttachedInstancesAnswer, query=Page),
    Route("GET", f"{_VERSION}/parameters", parameters.index, "configuration-parameter:index",
          answer=rest.ParametersAnswer),
    Route("GET", f"{_VERSION}/parameters/{{parameter}}", parameters.show, "configuration-parameter:show",
          answer=rest.Parameter),
    Route("GET", _PARAMETERS, parameters.index_by_version, "configuration-parameter:index_by_version",
          answer=rest.ParametersAnswer),
    Route("GET", f"{_PARAMETERS}/{{parameter}}", parameters.show_by_version,
          "configuration-parameter:show_by_version", answer=rest.Parameter),
    Route("GET", f"/mgmt{_PARAMETERS}", mgmt_parameters.index, access=ADMIN,
          answer=rest.MgmtParametersAnswer),
    Route("POST", f"/mgmt{_PARAMETERS}", mgmt_parameters.create, None, 200, rest.ParameterRequest,
          rest.MgmtParameter, access=ADMIN),
    Route("GET", f"/mgmt{_PARAMETERS}/{{parameter}}", mgmt_parameters.show, access=ADMIN,
          answer=rest.MgmtParameter),
    Route("PUT", f"/mgmt{_PARAMETERS}/{{parameter}}", mgmt_parameters.update, None, 200,
          rest.ParameterRequest, rest.MgmtParameter, access=ADMIN),
    Route("DELETE", f"/mgmt{_PARAMETERS}/{{parameter}}", mgmt_parameters.delete, None, 204, access=ADMIN),

    Route("GET", _OPERATION, operations.show, "operation:show", answer=rest.OperationAnswer),
    Route("POST", f"{_OPERATION}/action", operations.act, None, 202, rest.ActionRequest),
    Route("GET", f"{_OPERATION}/events", events.follow, "operation:events", query=events.Position,
          media=EVENT_STREAM),
)
# fmt: on
