"""Images of the provider's store become datastore versions, once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from instar.control.catalog import register, versions
from instar.control.store import datastores
from instar.control.store.session import Store
from instar.control.store.tables import Base
from instar.wire import rest
from instar.wire.agent import Manifest
from instar.wire.errors import BadRequest, NotFound


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(f"sqlite:///{tmp_path / 'records.db'}")
    Base.metadata.create_all(made.engine)
    yield made
    made.close()


def manifest(name, number=None, datastore="postgresql"):
    return Manifest(
        recipe="test",
        datastore=datastore,
        manager="postgresql",
        engine_version=number or name,
        version_name=name,
        agent_version="1",
    )


def test_an_image_is_registered_once_and_its_version_keeps_it(store):
    with store.begin() as session:
        made = register.register_image(session, "sha256:old", manifest("17.10"))
        assert made is not None
    with store.begin() as session:
        assert register.register_image(session, "sha256:new", manifest("17.10")) is None
    with store.read() as session:
        version = versions.find(session, "postgresql", "17.10")
        assert (version.image, version.number, version.active) == ("sha256:old", "17.10", True)


def test_a_version_begins_with_the_ranges_that_its_image_can_take_over(store):
    with store.begin() as session:
        far = manifest("17", "17.12").model_copy(update={"upgrade_from": [">=15,<18"]})
        made = register.register_image(session, "sha256:far", far)
        assert made is not None
        assert made.upgrade_from == [">=15,<18"]


def test_the_newest_active_version_is_the_default_whatever_came_first(store):
    with store.begin() as session:
        for name, number in (("edge", "18.6"), ("9", "9.6"), ("17", "17.10")):
            register.register_image(session, f"sha256:{name}", manifest(name, number))
        assert versions.choose(session, None).name == "edge"
        edge = versions.find(session, "postgresql", "edge").id
        versions.update(session, edge, rest.UpdateVersion(active=False), lambda tags: None)
        assert versions.choose(session, None).name == "17"


def test_what_a_create_asks_for_is_resolved_or_refused_by_name(store):
    with store.begin() as session:
        version = register.register_image(session, "sha256:a", manifest("17.10"))
        register.register_image(session, "sha256:b", manifest("1", datastore="other"))
        assert version is not None

        def choose(**wanted):
            return versions.choose(session, rest.DatastoreRef(**wanted))

        assert choose(type="postgresql", version="17.10") is version
        assert choose(type=version.datastore_id, version=version.id) is version
        for wanted, said in (
            ({}, "instance.datastore.type"),
            ({"type": "postgresql", "version_number": "16.1"}, "instance.datastore.version_number"),
        ):
            with pytest.raises(BadRequest, match=said):
                choose(**wanted)
        for wanted in ({"type": "none"}, {"type": "postgresql", "version": "1"}):
            with pytest.raises(NotFound):
                choose(**wanted)


def test_an_id_goes_before_a_name_that_looks_like_it(store):
    with store.begin() as session:
        first = register.register_image(session, "sha256:a", manifest("17.10"))
        assert first is not None
        register.register_image(session, "sha256:b", manifest(first.id, "18.6"))
        assert versions.find(session, "postgresql", first.id) is first


def test_a_store_without_datastores_says_so(store):
    with store.begin() as session:
        assert datastores.all_datastores(session) == []
        with pytest.raises(BadRequest, match="Registered datastores: none"):
            versions.choose(session, None)
