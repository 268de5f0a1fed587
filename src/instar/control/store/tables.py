"""Every table. Times are seconds since the epoch as doubles (a MariaDB FLOAT would round leases away)."""

from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Double,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

Json = dict[str, Any]


class Base(DeclarativeBase):
    """Base of all tables."""

    type_annotation_map = {
        float: Double,
        str: String(255),
        Json: JSON,
        list[str]: JSON,
    }


class Datastore(Base):
    """A kind of database, such as postgresql."""

    __tablename__ = "datastores"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    default_version_id: Mapped[str | None] = mapped_column(String(36))
    created: Mapped[float]

    versions: Mapped[list["DatastoreVersion"]] = relationship(back_populates="datastore")


class DatastoreVersion(Base):
    """A version of a datastore: a name that users know and the image that instances of it run.

    `parameters_from` is the image that its catalogue of parameters was read from.
    """

    __tablename__ = "datastore_versions"
    __table_args__ = (UniqueConstraint("datastore_id", "name"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    datastore_id: Mapped[str] = mapped_column(ForeignKey("datastores.id"))
    name: Mapped[str]
    number: Mapped[str]
    manager: Mapped[str]
    image: Mapped[str | None]
    image_tags: Mapped[list[str]]
    packages: Mapped[list[str]]
    active: Mapped[bool] = mapped_column(Boolean)
    registry_ext: Mapped[str | None]
    repl_strategy: Mapped[str | None]
    upgrade_from: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    parameters_from: Mapped[str | None]
    created: Mapped[float]

    datastore: Mapped[Datastore] = relationship(back_populates="versions")


class ParameterRow(Base):
    """A parameter of a version's catalogue; `edited` ones were set by an administrator, not by the image."""

    __tablename__ = "parameters"

    version_id: Mapped[str] = mapped_column(ForeignKey("datastore_versions.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    body: Mapped[Json]
    edited: Mapped[bool] = mapped_column(Boolean, default=False)


class Configuration(Base):
    """A configuration group: values for instances of one datastore version."""

    __tablename__ = "configurations"
    __table_args__ = (Index("configurations_listing", "project", "created", "id"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    project: Mapped[str]
    name: Mapped[str]
    description: Mapped[str | None] = mapped_column(Text)
    version_id: Mapped[str] = mapped_column(ForeignKey("datastore_versions.id"))
    settings: Mapped[Json]
    created: Mapped[float]
    updated: Mapped[float]

    version: Mapped[DatastoreVersion] = relationship(lazy="joined", innerjoin=True)


class Instance(Base):
    """A database instance. `status` is written by the engine alone, from the cursor of its open operation.

    `settings` are the values that the API put in force (a group's, as the instance's version has them);
    `undo` is what an undo of the last upgrade needs, while its window is open; `undo_window` and `probes` are
    the owner's wishes.
    """

    __tablename__ = "instances"
    __table_args__ = (
        Index("instances_listing", "project", "deleted", "created", "id"),
        Index("instances_of_all", "deleted", "created", "id"),
        Index("instances_to_ask", "deleted", "next_check"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    project: Mapped[str]
    name: Mapped[str]
    version_id: Mapped[str] = mapped_column(ForeignKey("datastore_versions.id"))
    flavor_id: Mapped[str]
    volume_size: Mapped[int] = mapped_column(Integer)
    status: Mapped[str] = mapped_column(String(32))
    service_status: Mapped[str] = mapped_column(String(32), default="")
    service_updated: Mapped[float | None]
    service_reason: Mapped[str] = mapped_column(Text, default="")
    volume_used: Mapped[float | None]
    next_check: Mapped[float]
    fault: Mapped[Json | None] = mapped_column(JSON(none_as_null=True))
    access: Mapped[Json | None] = mapped_column(JSON(none_as_null=True))
    port: Mapped[Json | None] = mapped_column(JSON(none_as_null=True))
    volume: Mapped[Json | None] = mapped_column(JSON(none_as_null=True))
    server: Mapped[Json | None] = mapped_column(JSON(none_as_null=True))
    volume_id: Mapped[str | None]
    address: Mapped[str | None]
    hostname: Mapped[str | None]
    image: Mapped[str | None]
    agent_version: Mapped[str | None]
    engine_version: Mapped[str | None]
    root_enabled: Mapped[float | None]
    root_enabled_by: Mapped[str | None]
    configuration_id: Mapped[str | None] = mapped_column(ForeignKey("configurations.id"), index=True)
    settings: Mapped[Json | None] = mapped_column(JSON(none_as_null=True))
    restart_required: Mapped[bool] = mapped_column(Boolean, default=False)
    undo: Mapped[Json | None] = mapped_column(JSON(none_as_null=True))
    undo_until: Mapped[float | None] = mapped_column(index=True)
    undo_window: Mapped[float | None]
    probes: Mapped[Json | None] = mapped_column(JSON(none_as_null=True))
    created: Mapped[float]
    updated: Mapped[float]
    deleted: Mapped[bool] = mapped_column(Boolean, default=False)
    deleted_at: Mapped[float | None]

    version: Mapped[DatastoreVersion] = relationship(lazy="joined", innerjoin=True)
    configuration: Mapped[Configuration | None] = relationship()


class Quota(Base):
    """What a project may use of a resource at most, where that is not the default; -1 is no limit."""

    __tablename__ = "quotas"

    project: Mapped[str] = mapped_column(primary_key=True)
    resource: Mapped[str] = mapped_column(String(32), primary_key=True)
    most: Mapped[int | None] = mapped_column(Integer)


class Operation(Base):
    """A change to an instance, under way or ended.

    `slot` holds the instance's id while an exclusive operation is open and NULL afterwards: its uniqueness is
    what admits one. `permit` is a number below the concurrency cap, held from first claim to end. `fence` is
    raised at every claim; every later write is conditional on it. `asked_back` says who asked for the way
    back, while it is open; `passages` counts the steps it went through; `outage` is what was measured from
    outside, so far.
    """

    __tablename__ = "operations"
    __table_args__ = (
        Index("operations_due", "state", "due_at"),
        Index("operations_of_instance", "instance_id", "created"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    instance_id: Mapped[str] = mapped_column(ForeignKey("instances.id"))
    project: Mapped[str]
    kind: Mapped[str] = mapped_column(String(64))
    inputs: Mapped[Json]
    details: Mapped[Json]
    secrets: Mapped[str | None] = mapped_column(Text)
    outputs: Mapped[Json]
    status_before: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(16))
    cursor: Mapped[str] = mapped_column(String(64))
    slot: Mapped[str | None] = mapped_column(String(36), unique=True)
    permit: Mapped[int | None] = mapped_column(Integer, unique=True)
    fence: Mapped[int] = mapped_column(Integer, default=0)
    owner: Mapped[str | None]
    lease_until: Mapped[float | None]
    due_at: Mapped[float | None]
    step_started: Mapped[float | None]
    passages: Mapped[int] = mapped_column(Integer, default=0)
    deadline: Mapped[float | None]
    moved: Mapped[float | None]
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    resumes: Mapped[int] = mapped_column(Integer, default=0)
    reason: Mapped[str] = mapped_column(Text, default="")
    percent: Mapped[float | None]
    error: Mapped[Json | None] = mapped_column(JSON(none_as_null=True))
    actor: Mapped[str]
    request_id: Mapped[str]
    downtime: Mapped[float | None]
    asked_back: Mapped[Json | None] = mapped_column(JSON(none_as_null=True))
    outage: Mapped[Json | None] = mapped_column(JSON(none_as_null=True))
    created: Mapped[float]
    started: Mapped[float | None]
    ended: Mapped[float | None] = mapped_column(index=True)

    instance: Mapped[Instance] = relationship()


class PlanRow(Base):
    """A plan that was made for an instance; forgotten with the instance, or when newer ones are many."""

    __tablename__ = "plans"
    __table_args__ = (Index("plans_of_instance", "instance_id", "created"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    instance_id: Mapped[str] = mapped_column(ForeignKey("instances.id"))
    hash: Mapped[str] = mapped_column(String(64))
    body: Mapped[Json]
    created: Mapped[float]


class Outage(Base):
    """How long a finished upgrade kept clients out: what forecasts rest on. `sort` names what is alike."""

    __tablename__ = "outages"
    __table_args__ = (Index("outages_of_sort", "sort", "id"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    operation_id: Mapped[str] = mapped_column(String(36), unique=True)
    sort: Mapped[str]
    seconds: Mapped[float]
    created: Mapped[float]


class StepRecord(Base):
    """One passage of an operation through one step."""

    __tablename__ = "operation_steps"

    operation_id: Mapped[str] = mapped_column(ForeignKey("operations.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    stretch: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    started: Mapped[float]
    ended: Mapped[float | None]
    error: Mapped[Json | None] = mapped_column(JSON(none_as_null=True))


class Event(Base):
    """Something that happened to an operation, written with the change and delivered after it."""

    __tablename__ = "events"
    __table_args__ = (
        Index("events_of_operation", "operation_id", "id"),
        Index("events_undelivered", "delivered", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    project: Mapped[str]
    operation_id: Mapped[str] = mapped_column(String(36))
    instance_id: Mapped[str] = mapped_column(String(36))
    kind: Mapped[str] = mapped_column(String(64))
    payload: Mapped[Json]
    delivered: Mapped[bool] = mapped_column(Boolean, default=False)
    created: Mapped[float]
