"""Settings: every option there is, by section, read once from `instar.conf` and handed in.

`oslo-config-generator --namespace instar` makes a sample; the reference in the docs is made from here.
"""

import os
from pathlib import Path
from typing import Any

from oslo_config import cfg
from oslo_log import log as logging

import instar
from instar.control.engine.worker import WorkerSettings
from instar.control.operations.desk import UpgradeDefaults
from instar.wire.agent import PORT


def default_state_dir() -> str:
    """Give the state directory: INSTAR_STATE_DIR, else root's or the user's own."""
    if given := os.environ.get("INSTAR_STATE_DIR"):
        return given
    return "/var/lib/instar" if os.geteuid() == 0 else str(Path.home() / ".local/share/instar")


_DEFAULT: list[cfg.Opt] = [
    cfg.StrOpt(
        "state_dir",
        default=default_state_dir(),
        sample_default="/var/lib/instar",
        help="Directory of everything that is kept: records, keys, images, and what the provider keeps.",
    ),
    cfg.StrOpt(
        "provider", default="local", help="Compute provider, a name in entry points instar.providers."
    ),
]

_API: list[cfg.Opt] = [
    cfg.HostAddressOpt("host", default="127.0.0.1", help="Address that the API listens on."),
    cfg.PortOpt("port", default=8779, help="Port that the API listens on."),
    cfg.StrOpt(
        "auth",
        default="local",
        choices=[
            ("local", "static tokens from a file, made at first start: one machine"),
            ("keystone", "keystonemiddleware, as section [keystone_authtoken] says"),
        ],
        help="How callers are identified.",
    ),
    cfg.StrOpt("token_file", help="File of static tokens; <state_dir>/tokens.json when not set."),
    cfg.StrOpt("project", default="local", help="Project of the token that is made at first start."),
    cfg.IntOpt("threads", default=32, min=2, help="Requests answered at once, event streams included."),
    cfg.FloatOpt(
        "answer_timeout", default=15.0, min=0.1, help="Seconds that a request waits for a guest's answer."
    ),
]

_STORE: list[cfg.Opt] = [
    cfg.StrOpt(
        "url",
        secret=True,
        help="SQLAlchemy URL of the record store (SQLite, PostgreSQL or MariaDB); "
        "<state_dir>/instar.db when not set.",
    ),
    cfg.StrOpt(
        "seal_key_file",
        help="File of the key that seals passwords on their way through the record store; the same on every "
        "host. <state_dir>/seal.key when not set.",
    ),
]

_WORKER: list[cfg.Opt] = [
    cfg.IntOpt("threads", default=8, min=1, help="Steps that one worker runs at once."),
    cfg.FloatOpt(
        "lease",
        default=10.0,
        min=0.5,
        help="Seconds after which another worker takes over from one that fell silent.",
    ),
    cfg.FloatOpt("poll", default=0.5, min=0.01, help="Seconds between looks for work that others submitted."),
    cfg.IntOpt("cap", default=16, min=1, help="Operations under way at once, over all workers."),
    cfg.FloatOpt("keep_days", default=90.0, min=0, help="Days that ended operations are kept."),
]

_GUESTS: list[cfg.Opt] = [
    cfg.PortOpt("port", default=PORT, help="Port of the guest API on every instance's address."),
    cfg.StrOpt("tls_dir", help="Directory of the certificate authority; <state_dir>/tls when not set."),
    cfg.FloatOpt("interval", default=30.0, min=0.1, help="Seconds between questions to a guest at rest."),
    cfg.FloatOpt("limit", default=90.0, min=0.1, help="Seconds of silence after which a guest is in ERROR."),
]

_LOCAL: list[cfg.Opt] = [
    cfg.StrOpt("image_dir", help="Directory of guest images; <state_dir>/images when not set."),
    cfg.StrOpt("flavors_file", help="Flavor catalogue (TOML); the one that ships with Instar when not set."),
    cfg.StrOpt(
        "address_range", default="127.64.0.0/10", help="Range that instances get their addresses from."
    ),
]

_PODMAN: list[cfg.Opt] = [
    cfg.StrOpt(
        "socket",
        help="URL of the container engine, such as unix:///run/podman/podman.sock. When not set: DOCKER_HOST,"
        " else the system's Podman, else a service of Podman that Instar starts.",
    ),
    cfg.StrOpt("image_dir", help="Directory of guest images; <state_dir>/images when not set."),
    cfg.StrOpt("flavors_file", help="Flavor catalogue (TOML); the one that ships with Instar when not set."),
    cfg.StrOpt(
        "subnets",
        default="10.213.0.0/16",
        help="Range that a part is taken from for the network of this installation's instances.",
    ),
    cfg.IntOpt(
        "subnet_prefix",
        default=24,
        min=8,
        max=30,
        help="How large that part is, as a prefix length: 24 has room for 253 instances.",
    ),
]

_OPENSTACK: list[cfg.Opt] = [
    cfg.StrOpt(
        "cloud",
        help="Entry of clouds.yaml with the service account, whose project owns everything that is made. "
        "When not set: OS_CLOUD, else the variables OS_AUTH_URL and so on.",
    ),
    cfg.StrOpt(
        "clouds_file",
        help="That clouds.yaml. When not set: OS_CLIENT_CONFIG_FILE, else where OpenStack's clients look.",
    ),
    cfg.StrOpt("network", help="Network that instances get their addresses from, by name or id."),
    cfg.StrOpt("subnet", help="Subnet of it, by name or id; any when not set."),
    cfg.ListOpt(
        "client_sources",
        default=["0.0.0.0/0"],
        help="Ranges from which clients may reach databases, unless the instance says otherwise.",
    ),
    cfg.ListOpt(
        "agent_sources",
        default=["0.0.0.0/0"],
        help="Ranges of the control plane's hosts, from which guest agents may be called.",
    ),
    cfg.PortOpt("agent_port", default="$guests.port", help="Port of guest agents, that of section [guests]."),
    cfg.ListOpt(
        "security_groups",
        default=[],
        help="Security groups that every instance gets beside its own, by name or id, such as monitoring's.",
    ),
    cfg.ListOpt("flavors", default=[], help="Flavors on offer, by name or id; all when not set."),
    cfg.StrOpt("availability_zone", help="Zone for servers and volumes; the cloud's choice when not set."),
    cfg.StrOpt("volume_type", help="Cinder's type of data volumes; the cloud's default when not set."),
    cfg.BoolOpt(
        "instant_snapshots",
        default=True,
        help="Whether volumes of that type are snapshotted in moments. When not, an upgrade that leaves the "
        "data format alone takes no snapshot, where the policy is auto.",
    ),
    cfg.StrOpt("key_name", help="Key pair of the service account that operators log in to guests with."),
    cfg.FloatOpt("timeout", default=60.0, min=1, help="Seconds that one answer of the cloud is waited for."),
]

_UPGRADE: list[cfg.Opt] = [
    cfg.StrOpt(
        "snapshot",
        default="auto",
        choices=[
            ("auto", "when the data format will change, or when snapshots are instant"),
            ("always", "always"),
            ("never", "never"),
        ],
        help="Whether an upgrade keeps a snapshot of the volume, where the request does not say.",
    ),
    cfg.StrOpt(
        "on_failure",
        default="error",
        choices=[
            ("error", "the instance is left in ERROR, to be resumed or rolled back by an operator"),
            ("rollback", "the instance goes back onto the old image"),
        ],
        help="Where an upgrade that fails in its downtime leads, where the request does not say.",
    ),
    cfg.StrOpt(
        "text_ordering",
        default="rebuild",
        choices=[
            ("rebuild", "they are rebuilt before clients are let in, which adds to the downtime"),
            ("block", "the upgrade is refused before any downtime"),
            ("warn", "nothing is rebuilt: queries may miss rows until somebody has it done"),
        ],
        help="What becomes of indexes over text that the new image's glibc or ICU orders otherwise, where "
        "the request does not say.",
    ),
    cfg.StrOpt(
        "strategy",
        default="rebuild",
        choices=[
            ("rebuild", "the server's root disk is replaced by the new image; no other server is needed"),
            (
                "replace",
                "another server is booted before the downtime and takes over volume and address; the old one "
                "is kept, stopped, until the undo window closes",
            ),
            ("auto", "replace where the provider can, else rebuild"),
        ],
        help="How the new image takes the old one's place, where the request does not say.",
    ),
    cfg.FloatOpt(
        "undo_window",
        default=86400.0,
        min=0,
        help="Seconds after an upgrade in which it can be undone, where the instance does not say.",
    ),
]

_QUOTAS: list[cfg.Opt] = [
    cfg.IntOpt("instances", default=-1, min=-1, help="Instances that a project may have; -1 is no limit."),
    cfg.IntOpt("volumes", default=-1, min=-1, help="GiB that all volumes of a project may have together."),
    cfg.IntOpt("ram", default=-1, min=-1, help="MiB that all instances of a project may have together."),
    cfg.IntOpt("backups", default=-1, min=-1, help="Told to clients that ask; Instar makes no backups."),
]

SECTIONS: dict[str | None, list[cfg.Opt]] = {
    None: _DEFAULT,
    "api": _API,
    "store": _STORE,
    "worker": _WORKER,
    "guests": _GUESTS,
    "upgrade": _UPGRADE,
    "quotas": _QUOTAS,
    "local": _LOCAL,
    "podman": _PODMAN,
    "openstack": _OPENSTACK,
}


def list_opts() -> list[tuple[str | None, list[cfg.Opt]]]:
    """List all options, for the sample and the reference."""
    return list(SECTIONS.items())


def load(files: list[str] | None = None, overrides: dict[str, Any] | None = None) -> cfg.ConfigOpts:
    """Read the configuration; `overrides` maps "section.option" (or "option") to a value from a command line.

    Without `files`, those that INSTAR_CONFIG_FILES names (put apart as in PATH) are read, else `instar.conf`
    is looked for where oslo.config looks (~/.instar, /etc/instar, /etc).
    """
    conf = cfg.ConfigOpts()
    logging.register_options(conf)
    for section, options in SECTIONS.items():
        conf.register_opts(options, group=section)
    if files is None and (named := os.environ.get("INSTAR_CONFIG_FILES")):
        files = named.split(os.pathsep)
    conf([], project="instar", version=instar.__version__, default_config_files=files)
    for name, value in (overrides or {}).items():
        section, _, option = name.rpartition(".")
        conf.set_override(option, value, group=section or None)
    return conf


def state_path(conf: cfg.ConfigOpts, given: str | None, name: str) -> Path:
    """Give the path that an option says, else `name` below the state directory."""
    return Path(given).absolute() if given else Path(conf.state_dir).absolute() / name


def worker(conf: cfg.ConfigOpts) -> WorkerSettings:
    """Read section [worker]."""
    section = conf.worker
    return WorkerSettings(
        threads=section.threads,
        lease=section.lease,
        poll=section.poll,
        cap=section.cap,
        keep=section.keep_days * 86400.0,
    )


def upgrade_defaults(conf: cfg.ConfigOpts) -> UpgradeDefaults:
    """Read what section [upgrade] says of requests that do not."""
    return UpgradeDefaults(
        snapshot=conf.upgrade.snapshot,
        on_failure=conf.upgrade.on_failure,
        text_ordering=conf.upgrade.text_ordering,
        strategy=conf.upgrade.strategy,
    )


def provider_section(conf: cfg.ConfigOpts) -> dict[str, Any]:
    """Read the provider's own section; its state lies in a directory of its own below the state directory."""
    values = dict(conf[conf.provider]) if conf.provider in conf else {}
    files = {name: Path(value) for name, value in values.items() if name.endswith("_file") and value}
    return {
        **values,
        **files,
        "state_dir": state_path(conf, None, conf.provider),
        "image_dir": state_path(conf, values.get("image_dir"), "images"),
    }
