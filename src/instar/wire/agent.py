"""The guest API, version 1: what the control plane asks of an agent, and what it answers.

Routes (HTTPS, mutual TLS; the server certificate's name is the instance's id; errors are an `ErrorBody`):

    GET  /               AgentInfo: who answers
    GET  /status         DatabaseStatus
    PUT  /jobs/{id}      JobStart -> JobView: starts a named job, or tells of it when it was started before
    GET  /jobs/{id}      JobView; `?wait=SECONDS` (at most 10) answers sooner when the job ends
    POST /calls/{hook}   a JSON object of parameters -> a JSON object: hooks that end within seconds
"""

from typing import Any, Literal

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
NETWORK_DATA = "etc/instar/network_data.json"
"""Of a standby that is given a card: what to make of it, in the format of OpenStack's `network_data.json`."""
CARD_AWAITED = "run/instar-card-awaited"
"""There once the machine's boot program waits for that card."""


TextOrderingPolicy = Literal["rebuild", "block", "warn"]
"""What becomes of indexes at risk: rebuilt with clients kept out, a reason to refuse, or told of."""


ImageFormat = Literal["tree", "oci", "qcow2"]


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
    format: ImageFormat = Field(
        default="tree",
        description="`tree`: folders for the local provider; `oci`: a whole system's files; "
        "`qcow2`: a bootable disk",
    )
    os: str = Field(default="", description="PRETTY_NAME of a whole system; empty for a tree")
    glibc: str = ""
    icu: str = ""
    extensions: dict[str, str] = Field(
        default={},
        description="extensions on offer -> default version; empty if unknown",
    )
    upgrade_from: list[str] = Field(
        default=[], description="versions whose data it can take over, as ranges; empty: the default"
    )
    writable: list[str] = Field(
        default=[], description="folders below the root that belong to the server's own user"
    )
    built_at: str = ""
    built_from: dict[str, str] = Field(default={}, description="source name -> exact version or digest")


class Parameter(BaseModel):
    """One setting that an engine knows, as its own binary tells of it; numbers are in `unit`."""

    name: str
    type: Literal["boolean", "integer", "float", "string", "enum"]
    default: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    unit: str | None = Field(default=None, description="unit of a bare number, such as 8kB or ms")
    values: list[str] = Field(default=[], description="what an enum takes; empty if unknown")
    restart_required: bool = Field(default=False, description="heeded by a start only")
    fixed: bool = Field(
        default=False, description="belongs to the instance's identity, or can't be set at all"
    )
    description: str = ""


class Probe(BaseModel):
    """A query with its expected answer, put to a database to see whether it is of use to its owner."""

    name: str
    database: str
    sql: str = Field(description="one statement, run in a read-only transaction as the administrator")
    expected: str = Field(
        description="the first column of the first row as text; empty when there is to be no row"
    )
    policy: Literal["block", "warn"] = "block"


class ProbeResult(BaseModel):
    """What came of a probe: `seen` is the answer or the database's error."""

    name: str
    passed: bool
    seen: str = ""
    policy: Literal["block", "warn"] = "block"
    seconds: float = 0.0


class IndexAtRisk(BaseModel):
    """An index over text whose order is the operating system's or ICU's."""

    database: str
    index: str
    table: str
    bytes: int
    provider: Literal["libc", "icu"]
    unique: bool = False


class AgentInfo(BaseModel):
    """Who answers: `GET /`."""

    api_version: str = API_VERSION
    agent_version: str
    instance_id: str
    boot_id: str = Field(description="a new one each time the server boots")
    manager: str
    image_digest: str
    engine_version: str
    os: str = Field(default="", description="PRETTY_NAME of the system that it runs on, as that tells it")
    standby: bool = Field(
        default=False, description="it waits for the volume and the address of the server that it replaces"
    )


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
    target_extensions: dict[str, str] = Field(
        default={}, description="extensions on offer there -> default version; empty if unknown"
    )
    target_parameters: list[str] = Field(
        default=[], description="names of the settings that the target's engine knows; empty if unknown"
    )
    text_ordering: TextOrderingPolicy = Field(
        default="rebuild", description="what becomes of indexes whose order the target changes"
    )
    rolling_back: bool = Field(
        default=False, description="the way leads back to an older image: an older version is no obstacle"
    )
    probes: list[Probe] = Field(default=[], description="must pass before the upgrade, where they block")


class UpgradeFacts(BaseModel):
    """What an upgrade's cost and risk depend on, as the guest sees it."""

    data_bytes: int | None = None
    relations: int = Field(default=0, description="tables, indexes and sequences of all databases")
    databases: int = 0
    indexes_at_risk: list[IndexAtRisk] = Field(
        default=[],
        description="over text ordered by a library whose version the target image changes, largest first",
    )
    probes: list[ProbeResult] = []


class UpgradeCheck(BaseModel):
    """Answer of hook `check_upgrade`: every finding, gathered."""

    findings: list[dict[str, Any]] = []
    facts: UpgradeFacts = UpgradeFacts()


class PostUpgradeParams(BaseModel):
    """Parameters of hook `post_upgrade` (a job; may be repeated)."""

    upgrade_info: dict[str, Any] = Field(description="what `pre_upgrade` gave back")
    configuration: dict[str, Any] | None = Field(
        default=None, description="values set through the API, put in place of those before; None keeps them"
    )
    probes: list[Probe] = Field(default=[], description="run before clients are let in")
    text_ordering: TextOrderingPolicy = Field(
        default="rebuild", description="what becomes of indexes whose order a library changes"
    )
    resumed: bool = Field(
        default=False, description="somebody may have meant that settings differ: they are told, not refused"
    )


class ComeBackParams(BaseModel):
    """Parameters of hook `come_back` (a job; may be repeated): the old image again, after a rebuild."""

    configuration: dict[str, Any] | None = Field(
        default=None, description="values set through the API, put in place of those before; None keeps them"
    )
    text_ordering: TextOrderingPolicy = Field(
        default="rebuild", description="`warn`: indexes that were reordered meanwhile stay so and are told"
    )


class ConfigurationParams(BaseModel):
    """Parameters of hook `apply_configuration` (a job; may be repeated): all values set through the API."""

    configuration: dict[str, Any]


class ConfigurationApplied(BaseModel):
    """Answer of hook `apply_configuration`."""

    in_force: list[str] = Field(default=[], description="parameters whose new value is heeded already")
    pending_restart: list[str] = Field(default=[], description="parameters that wait for a restart")
    overridden: list[str] = Field(
        default=[], description="parameters that something else sets, such as ALTER SYSTEM: it goes first"
    )


class ProbesParams(BaseModel):
    """Parameters of hook `run_probes` (a call)."""

    probes: list[Probe]


class ProbesAnswer(BaseModel):
    """Answer of hook `run_probes`."""

    results: list[ProbeResult] = []


class ReadBack(BaseModel):
    """Answer of hook `read_back` (a call): what the running database itself says, for verification."""

    engine_version: str
    data_directory: str
    settings: dict[str, str] = Field(default={}, description="settings that do not stand at their default")
    databases: list[str] = []
    users: list[str] = []
    extensions: dict[str, str] = Field(default={}, description="database/extension -> version")
    catalog: dict[str, int] = Field(
        default={}, description="database/kind of object -> how many its system catalogue lists"
    )
