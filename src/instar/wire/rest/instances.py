"""Instances and their flavors."""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from instar.wire.agent import TextOrderingPolicy
from instar.wire.plans import Method, OnFailure, SnapshotPolicy, StrategyPolicy, UpgradeOptions
from instar.wire.rest.base import Answer, FlavorRef, Host, Link, Name, Request, VolumeSize


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
    host: Host | None = None
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
    upgrade_method: Method | None = Field(
        default=None,
        description="ours: how data files cross to another format; with datastore_version only",
    )
    upgrade_snapshot: SnapshotPolicy | None = Field(
        default=None, description="ours: whether the volume's state is kept; with datastore_version only"
    )
    upgrade_on_failure: OnFailure | None = Field(
        default=None, description="ours: where a failure in the downtime leads; with datastore_version only"
    )
    upgrade_text_ordering: TextOrderingPolicy | None = Field(
        default=None,
        description="ours: what becomes of indexes that a library orders otherwise; with datastore_version "
        "only",
    )
    upgrade_strategy: StrategyPolicy | None = Field(
        default=None,
        description="ours: whether the server is rebuilt, or another one takes its place; with "
        "datastore_version only",
    )
    upgrade_plan: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="ours: hash of the plan that was agreed to; with datastore_version only",
    )
    upgrade_force: bool | None = Field(
        default=None,
        description="ours: go on where the plan says no; with datastore_version only. What can never work "
        "is refused all the same, and the guest still refuses what would harm",
    )
    undo_window: Annotated[float, Field(ge=0, le=10 * 366 * 86400)] | None = Field(
        default=None, description="ours: seconds in which an upgrade can be undone; null: the default"
    )
    access: Access | None = None

    def upgrade_options(self) -> UpgradeOptions:
        """Give what the request says of an upgrade beside its target."""
        return UpgradeOptions(
            method=self.upgrade_method,
            snapshot=self.upgrade_snapshot,
            on_failure=self.upgrade_on_failure,
            text_ordering=self.upgrade_text_ordering,
            strategy=self.upgrade_strategy,
            plan=self.upgrade_plan,
            force=bool(self.upgrade_force),
        )


class UpdateInstanceRequest(Request):
    instance: UpdateInstance


class VolumeGrowth(Request):
    size: VolumeSize


class Resize(Request):
    """Either another flavor, or a larger volume."""

    flavorRef: FlavorRef | None = None
    volume: VolumeGrowth | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.flavorRef is None) == (self.volume is None):
            raise ValueError("takes either flavorRef or volume")
        return self


class ResizeRequest(Request):
    """Body of the action `resize`."""

    resize: Resize


class Rebuild(Request):
    image_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=255,
        description="ours, where left out: the version's own image",
    )


class RebuildRequest(Request):
    """Body of the administrators' action `rebuild`."""

    rebuild: Rebuild


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


class Undo(Answer):
    """What undoing the last upgrade would do; while its window is open."""

    version: str
    until: str
    possible: bool
    reason: str = Field(default="", description="why it is not possible")
    loses_writes_since: str | None = Field(
        default=None, description="time of the snapshot it goes back to; null when every write is kept"
    )


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
    configuration: dict[str, Any] | None = Field(
        default=None, description="the attached configuration group: id, name, links"
    )
    undo: Undo | None = None
    undo_window: float | None = None
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


class FlavorsAnswer(Answer):
    flavors: list[Flavor]


class FlavorAnswer(Answer):
    flavor: Flavor
