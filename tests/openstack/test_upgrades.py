"""Whole systems on a real cloud are upgraded, by Nova's rebuild or by a new server, while a client writes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from cloud_plane import CloudPlane, both_releases, bring_back, facts, image_of, take_nova_away

import lab_cloud
import real_control_plane
from access import tell
from instar.client.errors import OperationFailed
from instar.wire.agent import Manifest
from lab_cloud import Lab
from real_engines import CONTAINED_POSTGRESQL, MARIADB, Engine
from real_instance import DATABASE, RealInstance
from virtual_machines import MISSING, can_emulate

pytestmark = pytest.mark.skipif(not can_emulate(), reason=MISSING)


@dataclass(frozen=True)
class Stage:
    """A control plane on the lab, with an instance of an engine's old release; `new` is the one to go to."""

    plane: CloudPlane
    instance: RealInstance
    old: Manifest
    new: Manifest
    dead: Manifest
    """As `new`, and no guest ever answers from it."""
    dead_image: str

    @property
    def lab(self) -> Lab:
        return self.plane.lab


@contextmanager
def stage(engine: Engine) -> Iterator[Stage]:
    """Publish both releases, create an instance of the old one with data, and delete it at the end."""
    if lack := lab_cloud.why_not():
        pytest.skip(lack)
    lab = lab_cloud.the_lab()
    lab.clear()
    images = both_releases(lab, engine)
    old, new = images.old, images.new
    dead = new.model_copy(update={"version_name": f"{new.version_name}-without-agent"})
    dead_image = lab.guest_image(2, dead)
    with real_control_plane.installed(images, "serve", kind=CloudPlane) as plane:
        assert isinstance(plane, CloudPlane)
        for image in (old, new):
            plane.publish(image)
        plane.use_image(dead.version_name, dead_image)
        instance = RealInstance.create(plane)
        furnish(instance)
        yield Stage(plane, instance, old, new, dead, dead_image)


@pytest.fixture(scope="module")
def postgresql() -> Iterator[Stage]:
    with stage(CONTAINED_POSTGRESQL) as made:
        yield made


@pytest.fixture(scope="module")
def mariadb() -> Iterator[Stage]:
    with stage(MARIADB) as made:
        yield made


def furnish(instance: RealInstance) -> None:
    """Give an instance rows, and a second user."""
    instance.plane.client.users.create(instance.id, "bob", "secret-bob", databases=[DATABASE])
    tell(
        instance.access(),
        "CREATE TABLE orders (n int PRIMARY KEY, item varchar(40) NOT NULL)",
        *(f"INSERT INTO orders VALUES ({n}, 'item {n}')" for n in range(1, 101)),
    )


def what_is_kept(stage: Stage) -> dict[str, object]:
    """Tell what an upgrade must keep: asked of the cloud, of Instar, and of the database."""
    instance = stage.instance
    return facts(instance, stage.lab) | {
        "databases": [each.name for each in stage.plane.client.databases.list(instance.id)],
        "users": [each.name for each in stage.plane.client.users.list(instance.id)],
        "orders": instance.ask("SELECT count(*), min(item), max(item) FROM orders"),
    }


@pytest.mark.alone
def test_the_same_release_survives_nova_and_control_plane_going_away(postgresql: Stage) -> None:
    instance, plane = postgresql.instance, postgresql.plane
    before = what_is_kept(postgresql)
    boot = instance.agent.info().boot_id
    with instance.written_to():
        operation = plane.client.instances.rebuild(instance.id)
        assert operation
        plane.until_step(operation, "rebuild")
        take_nova_away(postgresql.lab)
        plane.kill_all()
        bring_back(postgresql.lab)
        plane.start()
        plane.wait(operation)
    assert what_is_kept(postgresql) == before
    assert instance.agent.info().boot_id != boot
    assert instance.shown.status == "ACTIVE"


def test_an_image_that_never_boots_is_told_and_left_again(postgresql: Stage) -> None:
    """The lab's own guest boots, and has no agent: to the control plane it never comes up."""
    instance, plane, lab = postgresql.instance, postgresql.plane, postgresql.lab
    release, before = instance.ask("SHOW server_version"), what_is_kept(postgresql)
    with instance.written_to():
        operation = plane.client.instances.upgrade(instance.id, postgresql.dead.version_name)
        assert operation
        waiting = plane.until_step(operation, "await_agent")
        assert waiting.verbs
        assert "abort" in waiting.verbs
        assert image_of(instance, lab) == postgresql.dead_image
        plane.client.operations.abort(operation)
        with pytest.raises(OperationFailed):
            plane.wait(operation)
    assert plane.client.operations.get(operation).came_back
    assert (what_is_kept(postgresql), instance.ask("SHOW server_version")) == (before, release)
    assert instance.shown.status == "ACTIVE"


def test_another_server_takes_over_though_the_control_plane_dies_and_the_old_one_takes_it_back(
    postgresql: Stage,
) -> None:
    instance, plane = postgresql.instance, postgresql.plane
    before = what_is_kept(postgresql)
    with instance.written_to():
        operation = plane.client.instances.upgrade(instance.id, instance.version, strategy="replace")
        assert operation
        plane.until_step(operation, "hand_over")
        plane.kill_all()
        plane.start()
        plane.wait(operation)
    after = what_is_kept(postgresql)
    assert after.pop("server") != before["server"]
    assert after == {name: kept for name, kept in before.items() if name != "server"}
    with instance.written_to():
        plane.wait(plane.client.instances.rollback(instance.id))
    assert what_is_kept(postgresql) == before
    assert instance.shown.status == "ACTIVE"
    assert len(list(postgresql.lab.mine.compute.servers())) == 1


@pytest.mark.parametrize("engine", ["postgresql", "mariadb"])
def test_a_release_and_its_system_change_on_one_volume(engine: str, request: pytest.FixtureRequest) -> None:
    stage: Stage = request.getfixturevalue(engine)
    instance = stage.instance
    before = what_is_kept(stage)
    assert instance.agent.info().os.startswith("Debian GNU/Linux 12")
    with instance.written_to():
        instance.upgrade(stage.new.version_name)
    assert what_is_kept(stage) == before
    assert instance.version == stage.new.version_name
    assert instance.agent.info().os.startswith("Debian GNU/Linux 13")
    assert str(instance.ask(instance.engine.version)[0]).startswith(stage.new.version_name)
    assert instance.shown.status == "ACTIVE"
