"""Configuration groups: values for the instances of one datastore version."""

from collections.abc import Iterator, Mapping
from typing import Any

import requests

from instar.client import _answers
from instar.client._http import OPERATION, Http, segment
from instar.client._instances import Instances
from instar.client._names import Named, only
from instar.client._operations import Operations
from instar.wire.ids import is_id
from instar.wire.rest import (
    AttachedInstance,
    AttachedInstancesAnswer,
    Configuration,
    ConfigurationAnswer,
    ConfigurationsAnswer,
    CreateConfigurationRequest,
    DefaultsAnswer,
    Operation,
    UpdateConfigurationRequest,
    UpdateInstanceRequest,
)


class Configurations:
    """Make and change groups, attach them to instances; a group may be given by id, name or object."""

    def __init__(self, http: Http, instances: Instances, operations: Operations) -> None:
        self._http = http
        self._instances = instances
        self._operations = operations

    def list(self) -> Iterator[Configuration]:
        """List the project's groups, newest first, without their values."""
        pages = self._http.pages("/configurations", ConfigurationsAnswer)
        return (group for page in pages for group in page.configurations)

    def get(self, configuration: str | Named) -> Configuration:
        """Read a group with its values. Raises NotFound, or Ambiguous when several have the name."""
        return self._http.get(self._path(configuration), ConfigurationAnswer).configuration

    def create(
        self,
        name: str,
        values: Mapping[str, Any],
        *,
        datastore: str | None = None,
        version: str | Named | None = None,
        description: str | None = None,
    ) -> Configuration:
        """Make a group for a datastore version; both default to the control plane's.

            >>> client.configurations.create("web", {"work_mem": "64MB"}, version="17.10")

        Raises Unprocessable with a finding for each value that the version's catalogue refuses.
        """
        version_id = version if version is None or isinstance(version, str) else version.id
        wanted = {key: value for key, value in {"type": datastore, "version": version_id}.items() if value}
        fields: dict[str, Any] = {"name": name, "values": dict(values)}
        fields |= {"datastore": wanted} if wanted else {}
        fields |= {"description": description} if description is not None else {}
        body = _answers.build(CreateConfigurationRequest, configuration=fields)
        return _answers.parse(
            ConfigurationAnswer, self._http.request("POST", "/configurations", json=body)
        ).configuration

    def edit(
        self, configuration: str | Named, values: Mapping[str, Any] | None = None, **changes: Any
    ) -> Configuration:
        """Merge values into a group's (None takes one out), and wait until its instances have followed.

            >>> client.configurations.edit("web", {"work_mem": "32MB", "jit": None})

        `changes` are `name` and `description`. Raises Unprocessable for values that are refused, by the
        catalogue or by an instance, Busy naming the operation that keeps an instance from following.
        """
        given = self.resolve(configuration)
        self._send("PATCH", given, values, changes)
        return self.get(given)

    def replace(
        self, configuration: str | Named, values: Mapping[str, Any], **changes: Any
    ) -> Operation | None:
        """Replace all values of a group; its instances follow by themselves.

        Gives the operation when exactly one instance follows. Raises as `edit`, but for what an instance
        refuses: that ends its operation, and `instances` tells which have followed.
        """
        return self._started(self._send("PUT", configuration, values, changes))

    def delete(self, configuration: str | Named) -> None:
        """Delete a group. Raises BadRequest while it is attached."""
        self._http.request("DELETE", self._path(configuration))

    def instances(self, configuration: str | Named) -> Iterator[AttachedInstance]:
        """List the instances that a group is attached to, and whether they have its values."""
        pages = self._http.pages(f"{self._path(configuration)}/instances", AttachedInstancesAnswer)
        return (instance for page in pages for instance in page.instances)

    def attach(self, instance: str | Named, configuration: str | Named) -> Operation | None:
        """Put a group's values in force on an instance; None of a control plane without operations.

        Mostly they are in force when this returns; the operation says. Raises BadRequest when the instance
        has a group already, is busy or of another version, Unprocessable when it did not take the values.
        """
        return self._configure(instance, self.resolve(configuration))

    def detach(self, instance: str | Named) -> Operation | None:
        """Take a group's values out of force; None when there was no group. Raises as `attach`."""
        return self._configure(instance, None)

    def defaults(self, instance: str | Named) -> dict[str, Any]:
        """Give the defaults of the parameters that can be set on an instance."""
        answer = self._http.get(f"{self._instances.path(instance)}/configuration", DefaultsAnswer)
        return answer.instance.configuration

    def resolve(self, configuration: str | Named) -> str:
        """Give a group's id, looking its name up where need be. Raises NotFound or Ambiguous."""
        if not isinstance(configuration, str):
            return configuration.id
        if is_id(configuration):
            return configuration
        return only("configuration group", configuration, self.list()).id

    def _configure(self, instance: str | Named, configuration_id: str | None) -> Operation | None:
        body = _answers.build(UpdateInstanceRequest, instance={"configuration": configuration_id})
        return self._started(self._http.request("PUT", self._instances.path(instance), json=body))

    def _send(
        self,
        method: str,
        configuration: str | Named,
        values: Mapping[str, Any] | None,
        changes: Mapping[str, Any],
    ) -> requests.Response:
        fields = dict(changes) | ({} if values is None else {"values": dict(values)})
        body = _answers.build(UpdateConfigurationRequest, configuration=fields)
        return self._http.request(method, self._path(configuration), json=body)

    def _started(self, response: requests.Response) -> Operation | None:
        operation_id = response.headers.get(OPERATION)
        return self._operations.get(operation_id) if operation_id else None

    def _path(self, configuration: str | Named) -> str:
        return f"/configurations/{segment(self.resolve(configuration))}"
