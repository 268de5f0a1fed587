"""The guest API, version 1: what the control plane asks of an agent, and what it answers.

Routes (HTTPS, mutual TLS; the server certificate's name is the instance's id; errors are an `ErrorBody`):

    GET  /               AgentInfo: who answers
    GET  /status         DatabaseStatus
    PUT  /jobs/{id}      JobStart -> JobView: starts a named job, or tells of it when it was started before
    GET  /jobs/{id}      JobView; `?wait=SECONDS` (at most 10) answers sooner when the job ends
    POST /calls/{hook}   a JSON object of parameters -> a JSON object: hooks that end within seconds
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from instar.wire.errors import ErrorBody
from instar.wire.states import JobState, ServiceStatus

API_VERSION = "1.0"
PORT = 9779
"""Port of the guest API on the instance's address."""

GUEST_INFO = "etc/instar/guest_info.conf"
"""Injected: which instance this is (INI, section [guest]); path below the server's root."""
GUEST_AGENT = "etc/instar/guestagent.conf"
"""Injected: how the agent listens and where the volume is (INI, section [agent])."""
TLS_CERTIFICATE = "etc/instar/tls/agent.crt"
TLS_KEY = "etc/instar/tls/agent.key"
TLS_AUTHORITY = "etc/instar/tls/ca.crt"
IMAGE_MANIFEST = "etc/instar/image.json"
"""Part of the image, not injected: its `Manifest`."""


class Manifest(BaseModel):
    """What an image is: written by the builder into the image, read by control plane and agent."""

    model_config = ConfigDict(extra="ignore")

    digest: str = Field(default="", description="sha256:<hex> over content; empty inside the image itself")
    recipe: str
    datastore: str = Field(description="datastore name, such as postgresql")
    manager: str = Field(description="agent datastore plug-in, such as postgresql")
    engine_version: str = Field(description="as the server itself says it, such as 17.10")
    version_name: str = Field(description="datastore version name it is registered under by default")
    agent_version: str
    agent_api: str = API_VERSION
    glibc: str = ""
    icu: str = ""
    extensions: dict[str, str] = Field(
        default={},
        description="extensions on offer -> default version; empty if unknown",
    )
    built_at: str = ""
    built_from: dict[str, str] = Field(default={}, description="source name -> exact version or digest")


class AgentInfo(BaseModel):
    """Who answers: `GET /`."""

    api_version: str = API_VERSION
    agent_version: str
    instance_id: str
    boot_id: str = Field(description="a new one each time the server boots")
    manager: str
    image_digest: str
    engine_version: str


class DatabaseStatus(BaseModel):
    """What the database is doing: `GET /status`."""

    status: ServiceStatus
    engine_version: str | None = None
    reason: str = ""
    volume_used: int | None = Field(default=None, description="bytes used on the data volume")


class JobStart(BaseModel):
    """Body of `PUT /jobs/{id}`."""

    hook: str
    params: dict[str, Any] = {}


class Progress(BaseModel):
    """How far a job is; `moved` grows whenever something measurable moved."""

    message: str = ""
    percent: float | None = None
    moved: int = 0


class JobView(BaseModel):
    """A named job as the agent tells of it."""

    id: str
    hook: str = ""
    state: JobState
    progress: Progress = Progress()
    result: dict[str, Any] | None = None
    error: ErrorBody | None = None
    started_at: float | None = None
    ended_at: float | None = None


class DatabaseSpec(BaseModel):
    """A logical database to make."""

    name: str
    character_set: str | None = None
    collate: str | None = None


class UserSpec(BaseModel):
    """A database user; `password` is None where it isn't asked for or told."""

    name: str
    password: str | None = Field(default=None, repr=False)
    host: str = "%"
    databases: list[str] = []


class PrepareParams(BaseModel):
    """Parameters of hook `prepare` (a job; may be repeated)."""

    databases: list[DatabaseSpec] = []
    users: list[UserSpec] = []
    root_password: str | None = Field(default=None, repr=False)
    configuration: dict[str, Any] = {}


class UpgradeParams(BaseModel):
    """Parameters of hooks `check_upgrade` (a call) and `pre_upgrade` (a job): where the instance is to go."""

    target_engine_version: str
    target_image_digest: str
    source_image_digest: str = Field(
        default="",
        description="an agent of another image than this refuses; empty means any",
    )
    target_glibc: str = ""
    target_icu: str = ""
    method: str = Field(
        default="link", description="how data files cross a major version: link, clone or copy"
    )


class UpgradeCheck(BaseModel):
    """Answer of hook `check_upgrade`: every finding, gathered."""

    findings: list[dict[str, Any]] = []


class PostUpgradeParams(BaseModel):
    """Parameters of hook `post_upgrade` (a job; may be repeated): what `pre_upgrade` gave back."""

    upgrade_info: dict[str, Any]


class ReadBack(BaseModel):
    """Answer of hook `read_back` (a call): what the running database itself says, for verification."""

    engine_version: str
    data_directory: str
    settings: dict[str, str] = Field(default={}, description="settings that do not stand at their default")
    databases: list[str] = []
    users: list[str] = []
    extensions: dict[str, str] = Field(default={}, description="database/extension -> version")
