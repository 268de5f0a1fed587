"""Trove's own tempest tests against whole systems on the lab's cloud (see `docs/compatibility.rst`)."""

from collections.abc import Iterator

import pytest
from cloud_plane import PATIENCE, both_releases
from in_catalogue import InCatalogue, account_of

import lab_cloud
import real_control_plane
from clients.tempest_plugin import Target, Tempest, tempest
from real_engines import CONTAINED_POSTGRESQL, MARIADB, Engine
from virtual_machines import MISSING, can_emulate

pytestmark = pytest.mark.skipif(not can_emulate(), reason=MISSING)

BASIC = dict.fromkeys(
    ("test_configuration", "test_database_access", "test_root_disable", "test_user_database"), "ok"
)


@pytest.fixture(scope="module", params=[CONTAINED_POSTGRESQL, MARIADB], ids=["postgresql", "mariadb"])
def target(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Tempest]]:
    """Tempest, set for a control plane on the lab, with an engine; with the name of its tests."""
    engine: Engine = request.param
    if lack := lab_cloud.why_not():
        pytest.skip(lack)
    lab = lab_cloud.the_lab()
    lab.clear()
    images = both_releases(lab, engine)
    with real_control_plane.installed(images, "serve", kind=InCatalogue) as plane:
        assert isinstance(plane, InCatalogue)
        _, image = plane.publish(images.old), plane.publish(images.new)
        account = account_of(lab, "admin", "admin")
        what = Target(
            keystone=account["auth_url"],
            password=account["password"],
            region="RegionOne",
            datastore=engine.datastore,
            version=engine.new,
            older=engine.old,
            image=image,
            cloud=True,
            patience=int(PATIENCE),
        )
        names = {"postgresql": "PostgreSQL", "mariadb": "MariaDB"}
        yield names[engine.datastore], tempest(tmp_path_factory.mktemp("tempest"), what)


def test_the_basic_tests_pass(target: tuple[str, Tempest]) -> None:
    name, runner = target
    assert runner.run(f"test_instance_basic.TestInstanceBasic{name}") == BASIC


def test_resize_and_rebuild_pass(target: tuple[str, Tempest]) -> None:
    """Its upgrades can't: they ask for another instance's password, or for a variable that is gone."""
    name, runner = target
    tests = ("test_rebuild", "test_resize")
    words = (f"test_instance_actions.TestInstanceActions{name}.{test}" for test in tests)
    assert runner.run(*words) == dict.fromkeys(tests, "ok")
