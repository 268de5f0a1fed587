"""What a user does with the command line, on the whole control plane with a fake provider behind it."""

import configparser
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cheroot.wsgi import Server

from command_line import instar
from instar.control import settings, wiring
from instar.control.guests.fake import FakeGuests
from instar.control.providers.fake import FakeProvider
from instar.control.store.tables import Base
from instar.wire.agent import GUEST_INFO, Manifest
from instar.wire.errors import GuestError

CREATE = ("create", "demo", "--flavor", "1", "--volume-size", "1", "--version", "17.10", "--wait")


@dataclass
class House:
    """A running control plane, and the dials of what is behind it."""

    provider: FakeProvider
    guests: FakeGuests


def _manifest(version: str) -> Manifest:
    return Manifest(
        recipe="fake",
        datastore="postgresql",
        manager="postgresql",
        engine_version=version,
        version_name=version,
        agent_version="0.1.0",
    )


def _join(provider: FakeProvider, guests: FakeGuests) -> None:
    """Have fake guests come up and go down with the fake provider's servers."""
    ids: dict[str, str] = {}

    def boot(name: str, image: str, files: dict[str, str]) -> None:
        info = configparser.ConfigParser()
        info.read_string(files[GUEST_INFO])
        ids[name] = info["guest"]["instance_id"]
        guests.boot(ids[name], image, provider.image(image).manifest)

    provider.on_boot = boot
    provider.on_stop = lambda name: guests.halt(ids[name])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Path]]:
    """Run a control plane on a socket."""
    state = tmp_path_factory.mktemp("state")
    house = House(FakeProvider(), FakeGuests())
    _join(house.provider, house.guests)
    for version in ("17.10", "18.6"):
        house.provider.add_image(_manifest(version))
    server = Server(("127.0.0.1", 0), None, numthreads=8)
    server.shutdown_timeout = 0.2
    server.prepare()
    conf = settings.load(
        None, {"state_dir": str(state), "api.port": server.bind_addr[1], "worker.poll": 0.05}
    )
    built = wiring.build(conf, house.provider)
    Base.metadata.create_all(built.store.engine)
    wiring.register_images(built)
    worker = wiring.make_worker(built, house.guests)
    stopping = threading.Event()
    server.wsgi_app = wiring.make_door(built, worker.wake, stopping.is_set)
    serving = threading.Thread(target=server.serve)
    serving.start()
    worker.start()
    yield house, state
    stopping.set()
    server.stop()
    serving.join()
    worker.stop()


@pytest.fixture
def house(whole: tuple[House, Path], monkeypatch: pytest.MonkeyPatch) -> House:
    """Give the control plane with nothing dialled; the command line finds it by its state directory."""
    made, state = whole
    made.guests.failing.clear()
    for word in ("ENDPOINT", "PROJECT", "TOKEN"):
        monkeypatch.delenv(f"INSTAR_{word}", raising=False)
    monkeypatch.setenv("INSTAR_STATE_DIR", str(state))
    return made


@pytest.fixture
def demo(house: House) -> Iterator[str]:
    """Give an instance called demo on 17.10, and delete it."""
    made = instar(*CREATE, "--database", "shop", "--user", "ann", "--generate-password", "-f", "json")
    assert made.status == 0, made.err
    yield made.json["id"]
    house.guests.failing.clear()
    assert instar("delete", "demo", "--yes", "--wait").status == 0


def test_create_shows_the_instance_and_its_password_once(house: House) -> None:
    made = instar(*CREATE, "--user", "ann", "--generate-password", "-f", "json")
    assert made.status == 0, made.err
    assert (made.json["status"], made.json["operating_status"]) == ("ACTIVE", "HEALTHY")
    assert len(made.json["password"]) >= 20
    assert "password" not in instar("show", "demo", "-f", "json").json
    gone = instar("delete", "demo", "--yes", "--wait")
    assert gone.status == 0, gone.err
    assert instar("list", "-f", "value").out == ""


def test_upgrade_waits_with_a_line_for_each_step(house: House, demo: str) -> None:
    reachable = instar("version", "list", "--reachable-from", "demo", "-f", "value", "-c", "Name")
    assert "18.6" in reachable.out.split()
    done = instar("upgrade", "demo", "18.6", "--wait", "-f", "json")
    assert done.status == 0, done.err
    assert done.json["state"] == "SUCCEEDED"
    lines = done.err.splitlines()
    assert [line.split()[1:2] for line in lines[:-1]] == [["done"]] * (len(lines) - 1)
    assert [line.split()[0] for line in lines[:-1]] == [step["name"] for step in done.json["steps"]]
    assert lines[-1].startswith("upgrade of demo succeeded after")
    shown = instar("show", demo, "-f", "json").json
    assert shown["datastore_version"] == shown["engine_version"] == "18.6"


def test_without_wait_the_operation_is_named(house: House, demo: str) -> None:
    accepted = instar("restart", "demo", "-f", "json")
    assert accepted.status == 0
    operation = accepted.json["id"]
    assert f"instar operation show {operation}" in accepted.err
    assert operation in instar("operation", "list", "demo", "-f", "value", "-c", "ID").out
    while instar("operation", "show", operation, "-f", "json").json["state"] == "OPEN":
        pass


def test_a_failed_upgrade_says_what_to_do_and_is_resumed(house: House, demo: str) -> None:
    house.guests.failing["post_upgrade"] = GuestError("pg_upgrade failed", remedy="Free some space")
    failed = instar("upgrade", "demo", "18.6", "--wait")
    assert failed.status == 1
    assert "Traceback" not in failed.err
    assert "Error: The upgrade of demo failed at step post_upgrade: pg_upgrade failed" in failed.err
    assert "Remedy: Free some space" in failed.err
    resume = next(line for line in failed.err.splitlines() if line.startswith("Then:")).split()[2:]
    house.guests.failing.clear()
    resumed = instar(*resume)
    assert resumed.status == 0, resumed.err
    assert instar("show", "demo", "-f", "value", "-c", "datastore_version").out.strip() == "18.6"


def test_a_refused_upgrade_says_why_and_touches_nothing(house: House, demo: str) -> None:
    assert instar("upgrade", "demo", "18.6", "--wait").status == 0
    refused = instar("upgrade", "demo", "17.10", "--wait")
    assert refused.status == 1
    assert refused.err.startswith("Error: ")
    assert "Remedy: " in refused.err
    unknown = instar("upgrade", "demo", "99.9")
    assert unknown.status == 1
    assert "99.9" in unknown.err


def test_databases_and_users(house: House, demo: str) -> None:
    assert instar("database", "create", "demo", "orders").status == 0
    assert instar("database", "list", "demo", "-f", "value").out.split() == ["orders", "shop"]
    made = instar("user", "create", "demo", "bob", "--password-file", "-", stdin="a-secret-word\n")
    assert made.status == 0, made.err
    assert "a-secret-word" not in made.out + made.err
    names = instar("user", "list", "demo", "-f", "json").json
    assert [user["Name"] for user in names] == ["ann", "bob"]
    assert instar("database", "delete", "demo", "orders", "--yes").status == 0
    missing = instar("database", "delete", "demo", "orders", "--yes")
    assert (missing.status, missing.err[:7]) == (1, "Error: ")


def test_what_is_on_offer(house: House) -> None:
    assert instar("flavor", "list", "-f", "value", "-c", "Name").out.split() == ["small", "medium", "large"]
    assert instar("datastore", "show", "postgresql", "-f", "json").json["versions"] == ["17.10", "18.6"]
    listed = instar("version", "list", "--datastore", "postgresql", "-f", "csv", "-c", "Name")
    assert sorted(listed.out.split()[1:]) == ['"17.10"', '"18.6"']


def test_a_version_is_registered_changed_and_deleted(house: House) -> None:
    image = house.provider.add_image(_manifest("18.7"))
    made = instar("version", "create", "postgresql", "18.7", "--image", image, "--no-active", "-f", "json")
    assert made.status == 0, made.err
    changed = instar(
        "version", "set", made.json["id"], "--active", "--upgrade-from", ">=16,<19", "-f", "json"
    )
    assert changed.status == 0, changed.err
    assert changed.json["active"] is True
    assert instar("version", "delete", "18.7", "--datastore", "postgresql").status == 0
    assert instar("version", "show", "18.7").status == 1
