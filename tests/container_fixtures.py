"""Whole systems in containers, for live and crash tests: images, a control plane on Podman, an instance."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

import real_control_plane
from grounds import PodmanGround
from guest_images import Images, image_dir
from instar.client.errors import Busy, NotFound
from instar.images import build
from instar.images.recipe import load
from instar.wire.agent import Manifest
from real_control_plane import ControlPlane
from real_engines import CONTAINED_POSTGRESQL, MARIADB
from real_instance import RealInstance

POSTGRESQL = CONTAINED_POSTGRESQL
OLDER_AGENT = Path(__file__).with_name("fixtures") / "agent-0.0.9.zip"
PROGRAMS = ("podman", "runc", "mmdebstrap")
MISSING = (
    "needs root and Podman: apt-get install podman runc netavark aardvark-dns iptables uidmap mmdebstrap"
)


def can_run_containers() -> bool:
    """Tell whether this machine has what the podman provider needs."""
    return os.geteuid() == 0 and all(map(shutil.which, PROGRAMS))


@dataclass(frozen=True, kw_only=True)
class SystemImages(Images):
    """Whole systems: `old`, `new` and `new_agent` are MariaDB's."""

    mariadb_testing: Manifest
    postgresql_15: Manifest
    postgresql_17: Manifest
    bookworm: Manifest
    """PostgreSQL 17.10 on Debian 12."""
    trixie: Manifest
    """PostgreSQL 17.10 on Debian 13."""
    older_agent: Manifest
    """PostgreSQL 15 with an agent of one release back."""

    @property
    def offered(self) -> tuple[Manifest, ...]:
        """All of them."""
        found = (getattr(self, each.name) for each in fields(self))
        return tuple(each for each in found if isinstance(each, Manifest))


@pytest.fixture(scope="session")
def system_images() -> SystemImages:
    """Build the whole systems, or find them built."""
    if not can_run_containers():
        pytest.skip(MISSING)
    return build_systems()


@pytest.fixture(scope="session")
def mariadb_images() -> Images:
    """Build MariaDB's systems alone, or find them built."""
    if not can_run_containers():
        pytest.skip(MISSING)
    return build_mariadb()


def build_mariadb() -> Images:
    """Build MariaDB's systems alone, or find them built."""
    directory = image_dir()
    return Images(
        image_dir=directory,
        engine=MARIADB,
        ground=PodmanGround(),
        old=build(load("mariadb-10.11"), directory),
        new=build(load("mariadb-11.8"), directory),
        new_agent=build(load("mariadb-10.11").stamped("+1"), directory),
    )


def build_systems() -> SystemImages:
    """Build the whole systems, or find them built."""
    directory = image_dir()

    def built(name: str) -> Manifest:
        return build(load(name), directory)

    return SystemImages(
        image_dir=directory,
        engine=MARIADB,
        ground=PodmanGround(),
        old=built("mariadb-10.11"),
        new=built("mariadb-11.8"),
        new_agent=build(load("mariadb-10.11").stamped("+1"), directory),
        mariadb_testing=built("mariadb-11.8-forky"),
        postgresql_15=built("postgresql-15"),
        postgresql_17=built("postgresql-17"),
        bookworm=built("postgresql-17.10-bookworm"),
        trixie=built("postgresql-17.10-trixie"),
        older_agent=build(load("postgresql-15"), directory, agent_source=OLDER_AGENT),
    )


@pytest.fixture(scope="session")
def containers(system_images: SystemImages) -> Iterator[ControlPlane]:
    """`instar serve` on Podman for the whole session; at its end nothing may be left of the instances."""
    with real_control_plane.installed(system_images, "serve") as plane:
        yield plane


def offer(plane: ControlPlane, manifest: Manifest) -> str:
    """Have a version mean this image from now on; gives the version's name."""
    plane.client.versions.update(manifest.version_name, manifest.datastore, image=manifest.digest)
    return manifest.version_name


@pytest.fixture
def container_plane(containers: ControlPlane, system_images: SystemImages) -> ControlPlane:
    """The control plane on Podman, running, its versions as they were registered."""
    containers.ensure_running()
    for manifest in (system_images.old, system_images.postgresql_15):
        offer(containers, manifest)
    return containers


@pytest.fixture
def container(container_plane: ControlPlane) -> Iterator[RealInstance]:
    """A MariaDB instance of the old release; its delete goes on while the next test runs."""
    made = RealInstance.create(container_plane)
    yield made
    container_plane.ensure_running()
    with suppress(Busy, NotFound):
        container_plane.client.instances.delete(made.id)
