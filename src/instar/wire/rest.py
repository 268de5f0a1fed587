"""Shapes of REST requests and answers, shared by the door and the client; `/openapi.json` is made of them.

Requests refuse unknown keys and wrong types; answers may gain keys. Names and values follow Trove's v1.0 API.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, RootModel, StringConstraints

from instar.wire.errors import ErrorBody
from instar.wire.states import OperationState, StepState, Stretch

Name = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"[0-9a-zA-Z]")]
"""Trove's `non_empty_string`: 1 to 255 characters, one letter or digit at least."""


def _whole(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be a whole number, not true or false")
    return (
        int(value)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10
        else value
    )


def _last_segment(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be a flavor id, not true or false")
    return str(value).rstrip("/").rsplit("/", 1)[-1] if isinstance(value, int | str) else value


VolumeSize = Annotated[int, BeforeValidator(_whole), Field(ge=1, le=1_000_000)]
FlavorRef = Annotated[str, BeforeValidator(_last_segment), StringConstraints(min_length=1, max_length=255)]


class Request(BaseModel):
    """Base of everything a caller sends."""

    model_config = ConfigDict(extra="forbid", str_max_length=65536)


class Answer(BaseModel):
    """Base of everything the door answers; absent means absent, so None is left out."""

    model_config = ConfigDict(extra="allow")


class Link(Answer):
    rel: str
    href: str


# -- instances: requests ------------------------------------------------------------------------------------


class Volume(Request):
    size: VolumeSize
    type: str | None = None


class DatastoreRef(Request):
    type: Name | None = None
    version: Name | None = None
    version_number: str | None = None


class NewDatabase(Request):
    name: Name
    character_set: str | None = None
    collate: str | None = None


class DatabaseName(Request):
    name: Name


class NewUser(Request):
    name: Name
    password: str = Field(min_length=1, max_length=255, repr=False)
    host: Name | None = None
    databases: list[DatabaseName] = []


class Access(Request):
    is_public: bool = False
    allowed_cidrs: list[str] = []


class Nic(Request):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    net_id: str | None = Field(default=None, alias="net-id")
    network_id: str | None = None
    subnet_id: str | None = None
    ip_address: str | None = None


class CreateInstance(Request):
    name: Name
    flavorRef: FlavorRef | None = None
    volume: Volume | None = None
    datastore: DatastoreRef | None = None
    databases: list[NewDatabase] = []
    users: list[NewUser] = []
    restorePoint: dict[str, Any] | None = None
    replica_of: Any = None
    slave_of: Any = None
    replica_count: int | None = Field(default=None, ge=1, le=3)
    availability_zone: str | None = None
    nics: list[Nic] = Field(default=[], max_length=1)
    configuration: str | None = None
    modules: list[dict[str, Any]] = []
    region_name: str | None = None
    locality: Literal["affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"] | None = None
    access: Access | None = None


class CreateInstanceRequest(Request):
    instance: CreateInstance


class UpdateInstance(Request):
    """Body of PUT and PATCH; which keys were sent matters (`model_fields_set`)."""

    name: Name | None = None
    configuration: str | None = None
    replica_of: Any = None
    slave_of: Any = None
    datastore_version: Name | None = None
    upgrade_method: Literal["link", "clone", "copy"] | None = Field(
        default=None, description="ours: how data files cross a major version; with datastore_version only"
    )
    access: Access | None = None


class UpdateInstanceRequest(Request):
    instance: UpdateInstance


# -- instances: answers -------------------------------------------------------------------------------------


class Flavor(Answer):
    """`id` is null unless the flavor's id is a plain number; `str_id` always says it."""

    id: int | None
    str_id: str
    name: str
    ram: int
    vcpus: int
    disk: int
    ephemeral: int = 0
    links: list[Link] = []


class Fault(Answer):
    message: str
    created: str
    details: str | None = None


class Address(Answer):
    address: str
    type: Literal["private", "public"]
    network: str | None = None


class Instance(Answer):
    """An instance; lists leave the detail fields out. Keys below `operation` are ours, beside Trove's."""

    id: str
    name: str
    status: str
    operating_status: str
    region: str = "RegionOne"
    links: list[Link] = []
    flavor: dict[str, Any] = {}
    datastore: dict[str, str] = {}
    access: dict[str, Any] = {}
    volume: dict[str, Any] | None = None
    hostname: str | None = None
    ip: list[str] | None = None
    addresses: list[Address] | None = None
    tenant_id: str | None = None
    created: str | None = None
    updated: str | None = None
    service_status_updated: str | None = None
    fault: Fault | None = None
    server_id: str | None = None
    volume_id: str | None = None
    operation: dict[str, Any] | None = Field(
        default=None, description="the open operation: id, kind, step, reason"
    )
    port: int | None = Field(default=None, description="the database's port")
    image: str | None = Field(
        default=None, description="digest of the image that the server runs, as verified"
    )
    agent_version: str | None = None
    engine_version: str | None = Field(
        default=None, description="as the database itself said when last verified"
    )


class InstanceAnswer(Answer):
    instance: Instance


class InstancesAnswer(Answer):
    instances: list[Instance]
    links: list[Link] | None = None


# -- datastores ---------------------------------------------------------------------------------------------


class DatastoreVersion(Answer):
    id: str
    name: str
    version: str
    datastore: str | None = None
    links: list[Link] = []
    active: bool | None = None
    image: str | None = None
    image_tags: list[str] | None = None
    packages: list[str] | None = None
    registry_ext: str | None = None
    repl_strategy: str | None = None
    upgrade_from: list[str] | None = Field(default=None, description="version ranges it can be reached from")


class Datastore(Answer):
    id: str
    name: str
    links: list[Link] = []
    versions: list[DatastoreVersion] = []
    default_version: str | None = None


class DatastoresAnswer(Answer):
    datastores: list[Datastore]


class DatastoreAnswer(Answer):
    datastore: Datastore


class VersionsAnswer(Answer):
    versions: list[DatastoreVersion]


class VersionAnswer(Answer):
    version: DatastoreVersion


class MgmtVersion(Answer):
    id: str
    name: str
    version: str
    datastore_id: str
    datastore_name: str
    datastore_manager: str
    image: str | None
    image_tags: list[str]
    packages: list[str]
    active: bool
    default: bool
    registry_ext: str | None
    repl_strategy: str | None
    upgrade_from: list[str] = []


class CreateVersion(Request):
    name: Name
    datastore_name: Name
    datastore_manager: Name
    active: bool
    image: Name | None = None
    image_tags: list[Name] = Field(default=[], max_length=5)
    packages: list[str] | None = None
    default: bool = False
    version: Name | None = None
    registry_ext: str | None = None
    repl_strategy: str | None = None
    upgrade_from: list[str] | None = Field(default=None, description="version ranges, such as '>=16,<18'")


class CreateVersionRequest(Request):
    version: CreateVersion


class UpdateVersion(Request):
    """Body of `PATCH /mgmt/datastore-versions/{id}`; it has no envelope."""

    name: Name | None = None
    datastore_manager: Name | None = None
    image: Name | None = None
    image_tags: list[Name] | None = Field(default=None, max_length=5)
    packages: list[str] | None = None
    active: bool | None = None
    default: bool | None = None
    registry_ext: str | None = None
    repl_strategy: str | None = None
    upgrade_from: list[str] | None = None


# -- databases, users, root ---------------------------------------------------------------------------------


class CreateDatabasesRequest(Request):
    databases: list[NewDatabase] = Field(min_length=1)


class CreateUsersRequest(Request):
    users: list[NewUser] = Field(min_length=1)


class UserChange(Request):
    name: Name | None = None
    password: str | None = Field(default=None, min_length=1, max_length=255, repr=False)
    host: Name | None = None


class UpdateUserRequest(Request):
    user: UserChange


class PasswordChange(Request):
    name: Name
    password: str = Field(min_length=1, max_length=255, repr=False)
    host: Name | None = None


class ChangePasswordsRequest(Request):
    users: list[PasswordChange] = Field(min_length=1)


class GrantRequest(Request):
    databases: list[DatabaseName] = Field(min_length=1)


class EnableRootRequest(Request):
    password: str | None = Field(default=None, min_length=1, max_length=255, repr=False)


class Database(Answer):
    name: str


class User(Answer):
    name: str
    host: str = "%"
    databases: list[Database] = []
    password: str | None = Field(default=None, repr=False)


# -- operations: ours, beside Trove's -----------------------------------------------------------------------


class Step(Answer):
    name: str
    stretch: Stretch
    state: StepState
    started: str | None = None
    ended: str | None = None
    seconds: float | None = None
    reason: str = ""
    percent: float | None = None
    error: ErrorBody | None = None


class Operation(Answer):
    """An operation; `steps` is left out of lists. `downtime_seconds` is None where none was measured."""

    id: str
    kind: str
    instance_id: str
    instance_name: str = ""
    state: OperationState
    step: str | None = Field(default=None, description="where the cursor stands, or stood last")
    reason: str = Field(default="", description="why it waits")
    deadline: str | None = None
    created: str
    started: str | None = None
    ended: str | None = None
    seconds: float | None = None
    downtime_seconds: float | None = None
    actor: str = ""
    inputs: dict[str, Any] = Field(default={}, description="frozen at submission, without secrets")
    error: ErrorBody | None = None
    verbs: list[str] = Field(default=[], description="what an operator can do now, such as resume")
    steps: list[Step] | None = None


class OperationAnswer(Answer):
    operation: Operation


class OperationsAnswer(Answer):
    operations: list[Operation]
    links: list[Link] | None = None


# -- the rest of the door's answers -------------------------------------------------------------------------


class FlavorsAnswer(Answer):
    flavors: list[Flavor]


class FlavorAnswer(Answer):
    flavor: Flavor


class VolumeTypesAnswer(Answer):
    volume_types: list[dict[str, Any]]


class MgmtVersionsAnswer(Answer):
    versions: list[MgmtVersion]
    links: list[Link] | None = None


class MgmtVersionAnswer(Answer):
    version: MgmtVersion


class DatabasesAnswer(Answer):
    databases: list[Database]
    links: list[Link] | None = None


class UsersAnswer(Answer):
    users: list[User]
    links: list[Link] | None = None


class UserAnswer(Answer):
    user: User


class RootAnswer(Answer):
    rootEnabled: bool


class ActionRequest(
    RootModel[Annotated[dict[str, dict[str, Any] | None], Field(min_length=1, max_length=1)]]
):
    """Body of an action: one key, the verb, such as `{"restart": {}}`."""


class ApiVersion(Answer):
    id: str
    status: str
    updated: str
    links: list[Link]


class ApiVersionsAnswer(Answer):
    versions: list[ApiVersion]


class ApiVersionAnswer(Answer):
    version: ApiVersion


class AbsoluteLimits(Answer):
    """-1 means that there is no limit."""

    verb: Literal["ABSOLUTE"] = "ABSOLUTE"
    max_instances: int
    max_ram: int
    max_backups: int
    max_volumes: int


class LimitsAnswer(Answer):
    limits: list[AbsoluteLimits]


class HealthAnswer(Answer):
    status: Literal["OK"] = "OK"


class Problem(Answer):
    """The inside of an error's envelope; `details` lists a check's findings."""

    code: int
    message: str
    details: str | None = None
    error: ErrorBody | None = Field(default=None, description="the same, as data")
