"""Datastores and their versions."""

from typing import Any

from pydantic import Field

from instar.wire.rest.base import Answer, Link, Name, Request


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
    image_tags: list[Name] = Field(
        default=[], max_length=5, description="instead of `image`: the newest that has them all is meant"
    )
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


class MgmtVersionsAnswer(Answer):
    versions: list[MgmtVersion]
    links: list[Link] | None = None


class MgmtVersionAnswer(Answer):
    version: MgmtVersion


class VolumeTypesAnswer(Answer):
    volume_types: list[dict[str, Any]]
