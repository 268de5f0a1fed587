"""Configuration groups, and the parameters that versions have."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints

from instar.wire.rest.base import Answer, Link, Name, Request
from instar.wire.rest.instances import DatastoreRef

ParameterName = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[0-9A-Za-z_.$-]+$")]
Values = Annotated[dict[ParameterName, Any], Field(max_length=1000)]
"""Parameter -> text, number, true or false."""
Description = Annotated[str, StringConstraints(max_length=4096)]


def _flag(value: Any) -> Any:
    return bool(value) if isinstance(value, int) and value in (0, 1) else value


Flag = Annotated[bool, BeforeValidator(_flag)]
"""Trove's `boolean_string`: 0 or 1; true and false will do as well."""


class NewConfiguration(Request):
    name: Name
    values: Values
    datastore: DatastoreRef | None = None
    description: Description | None = None


class CreateConfigurationRequest(Request):
    configuration: NewConfiguration


class ConfigurationChange(Request):
    """PUT replaces all values, PATCH merges them: there a null takes a value out. What is absent stays."""

    name: Name | None = None
    description: Description | None = None
    values: Values | None = None


class UpdateConfigurationRequest(Request):
    configuration: ConfigurationChange


class Configuration(Answer):
    """A configuration group; lists leave `values`, `instance_count` and the version's number out."""

    id: str
    name: str
    description: str | None = None
    created: str
    updated: str
    datastore_name: str
    datastore_version_id: str
    datastore_version_name: str
    datastore_version_number: str | None = None
    values: dict[str, Any] | None = None
    instance_count: int | None = None


class ConfigurationAnswer(Answer):
    configuration: Configuration


class ConfigurationsAnswer(Answer):
    configurations: list[Configuration]
    links: list[Link] | None = None


class AttachedInstance(Answer):
    """The last two keys are ours."""

    id: str
    name: str
    in_force: bool = Field(default=True, description="whether the instance has the group's values")
    restart_required: bool = Field(default=False, description="whether a value waits for a restart")


class AttachedInstancesAnswer(Answer):
    instances: list[AttachedInstance]
    links: list[Link] | None = None


class Defaults(Answer):
    configuration: dict[str, Any] = Field(description="parameter -> default of the instance's version")


class DefaultsAnswer(Answer):
    instance: Defaults


class Parameter(Answer):
    """A parameter; it comes without an envelope. Keys from `unit` on are ours, beside Trove's."""

    name: str
    type: str
    datastore_version_id: str
    restart_required: bool
    min: int | float | None = None
    max: int | float | None = None
    unit: str | None = None
    default: str | None = None
    values: list[str] | None = Field(default=None, description="what an enum takes")
    description: str | None = None


class ParametersAnswer(Answer):
    model_config = ConfigDict(extra="allow", populate_by_name=True)

    parameters: list[Parameter] = Field(alias="configuration-parameters")


class MgmtParameter(Answer):
    """A parameter as operators see it, without an envelope."""

    name: str
    type: str
    datastore_version_id: str
    restart_required: bool
    min_size: int | float | None = None
    max_size: int | float | None = None
    unit: str | None = None
    default: str | None = None
    values: list[str] | None = None
    fixed: bool = False
    description: str | None = None


class MgmtParametersAnswer(Answer):
    model_config = ConfigDict(extra="allow", populate_by_name=True)

    parameters: list[MgmtParameter] = Field(alias="configuration-parameters")


class NewParameter(Request):
    """A parameter as operators write it; keys from `unit` on are ours. PUT may leave the name out."""

    name: ParameterName | None = None
    restart_required: Flag
    data_type: Literal["boolean", "integer", "float", "string", "enum"]
    min_size: int | float | None = Field(default=None, ge=-(2**63), le=2**63)
    max_size: int | float | None = Field(default=None, ge=-(2**63), le=2**63)
    unit: Annotated[str, StringConstraints(pattern=r"^[0-9]{0,6}[A-Za-z]{1,8}$")] | None = None
    default: Annotated[str, StringConstraints(max_length=4096)] | None = None
    values: list[Name] = Field(default=[], max_length=1000)
    fixed: Flag = False
    description: Description = ""


class ParameterRequest(Request):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    parameter: NewParameter = Field(alias="configuration-parameter")
