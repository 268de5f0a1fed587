"""Servers of the openstack provider: what is asked of Nova, and what is not asked twice."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloud_stub import PROJECT, CloudStub, serving, settings_for
from instar.control.providers.base import FlavorSpec, Port, ServerSpec
from instar.control.providers.openstack import handles, user_data
from instar.control.providers.openstack.provider import OpenStackProvider
from instar.control.providers.openstack.wishes import Wishes, is_newest, knows, remember
from instar.wire.agent import IMAGE_MANIFEST, Manifest
from instar.wire.errors import BadRequest, ProviderError
from instar.wire.image_properties import to_properties
from instar.wire.states import ServerState

SERVER, OLD, NEW, VOLUME, PORT = (f"5e0c7a3c-0000-4000-8000-00000000010{number}" for number in range(5))
SERVERS, ONE = "/compute/v2.1/servers", f"/compute/v2.1/servers/{SERVER}"
HANDLE = handles.make("server", SERVER, "instar-1")
FILES = {"etc/instar/guest_info.conf": "[guest]\nname = é\n"}
MANIFEST = Manifest(
    recipe="toy", datastore="toy", manager="toy", engine_version="1", version_name="1", agent_version="1"
)


class Nova:
    """One server of a stubbed Nova, which is as the test sets it and notes what it is asked to do."""

    def __init__(self, stub: CloudStub) -> None:
        self.record: dict[str, Any] = {
            "id": SERVER,
            "name": "shop",
            "status": "ACTIVE",
            "OS-EXT-STS:task_state": None,
            "image": {"id": OLD},
            "flavor": {"original_name": "db.1"},
            "metadata": {"team": "blue", **Wishes(name="instar-1", image=OLD).metadata()},
            "os-extended-volumes:volumes_attached": [{"id": VOLUME}],
            "created": "2026-01-01T00:00:00Z",
        }
        self.done: list[dict[str, Any]] = []
        self.actions: list[dict[str, str]] = []
        self.follows = True
        """Whether a rebuild, start or stop takes effect at once."""
        sizes = [{"id": str(n), "name": f"db.{n}", "ram": n, "vcpus": 1, "disk": 1} for n in (1, 2)]
        stub.on("GET", "/compute/v2.1/flavors/detail", (200, {"flavors": sizes}))
        stub.on("GET", ONE, lambda asked: (200, {"server": self.record}))
        stub.on("GET", f"{ONE}/os-instance-actions", lambda asked: (200, {"instanceActions": self.actions}))
        stub.on("POST", f"{ONE}/metadata", lambda asked: self._mark(asked.body["metadata"]))
        stub.on("POST", f"{ONE}/action", lambda asked: self._act(asked.body))
        for ref in (OLD, NEW):
            about = {"id": ref, "status": "active", "visibility": "private", "owner": PROJECT}
            stub.on("GET", f"/image/v2/images/{ref}", (200, {**about, **to_properties(MANIFEST, [])}))

    def does(self) -> list[str]:
        """Name what it was asked to do."""
        return [next(iter(each)) for each in self.done]

    def _mark(self, metadata: dict[str, str]) -> tuple[int, Any]:
        self.record["metadata"] = {**self.record["metadata"], **metadata}
        return 200, {"metadata": self.record["metadata"]}

    def _act(self, body: dict[str, Any]) -> tuple[int, Any]:
        self.done.append(body)
        action = self.does()[-1]
        number = len(self.done)
        name = action.removeprefix("os-")
        self.actions.insert(
            0, {"action": name, "request_id": f"req-{number}", "start_time": f"2026-01-01T00:00:{number:02}"}
        )
        if action == "resize":
            self.record |= {"status": "VERIFY_RESIZE", "flavor": {"original_name": "db.2"}}
            return 202, None
        if action == "rebuild":
            self.record["image"] = {"id": body["rebuild"]["imageRef"]}
            self.record["metadata"] = body["rebuild"]["metadata"]
            return 202, {"server": self.record}
        if self.follows:
            self.record["status"] = {"os-stop": "SHUTOFF"}.get(action, "ACTIVE")
        return 202, None


@pytest.fixture
def stub() -> Iterator[CloudStub]:
    with serving() as stub:
        yield stub


@pytest.fixture
def nova(stub: CloudStub) -> Nova:
    return Nova(stub)


@pytest.fixture
def provider(stub: CloudStub, nova: Nova, tmp_path: Path) -> OpenStackProvider:
    return OpenStackProvider(settings_for(stub, tmp_path))


def unpack(packed: str) -> dict[str, str]:
    first, _, rest = base64.b64decode(packed).decode().partition("\n")
    assert first == "#cloud-config"
    written = json.loads(rest)["write_files"]
    assert {each["permissions"] for each in written} == {"0600"}
    return {each["path"]: each["content"] for each in written}


# rebuilds


def test_a_rebuild_says_in_one_request_what_is_wanted_and_what_it_is_called(
    provider: OpenStackProvider, nova: Nova
) -> None:
    info = provider.rebuild_server(HANDLE, NEW, FILES, "first")
    assert (info.state, info.image, info.token) == (ServerState.ACTIVE, NEW, "first")
    (sent,) = (each["rebuild"] for each in nova.done)
    assert sent["imageRef"] == NEW
    assert sent["metadata"]["team"] == "blue"
    files = unpack(sent["user_data"])
    assert files["/etc/instar/guest_info.conf"] == FILES["etc/instar/guest_info.conf"]
    assert Manifest.model_validate_json(files[f"/{IMAGE_MANIFEST}"]).digest == NEW


def test_a_rebuild_is_not_asked_for_twice_and_not_after_a_newer_one(
    provider: OpenStackProvider, nova: Nova
) -> None:
    for token in ("first", "first", "second", "second", "first"):
        info = provider.rebuild_server(HANDLE, NEW if token == "first" else OLD, FILES, token)
    assert nova.does() == ["rebuild", "rebuild"]
    assert (info.image, info.token) == (OLD, "second")


def test_a_rebuild_that_failed_is_told_once_and_tried_again_when_it_is_asked_for_again(
    provider: OpenStackProvider, nova: Nova
) -> None:
    provider.rebuild_server(HANDLE, NEW, FILES, "first")
    nova.record |= {"status": "ERROR", "fault": {"message": "No valid host was found."}}
    info = provider.rebuild_server(HANDLE, NEW, FILES, "first")
    assert (info.state, nova.does()) == (ServerState.ERROR, ["rebuild"])
    assert "No valid host was found." in info.reason
    provider.rebuild_server(HANDLE, NEW, FILES, "first")
    assert nova.does() == ["rebuild", "rebuild"]


def test_a_rebuild_that_nova_took_back_was_not_carried_out(provider: OpenStackProvider, nova: Nova) -> None:
    provider.rebuild_server(HANDLE, NEW, FILES, "first")
    nova.record |= {"image": {"id": OLD}, "status": "ERROR", "fault": {"message": "No valid host"}}
    info = provider.inspect_server(HANDLE)
    assert (info.state, info.image, info.token) == (ServerState.ERROR, OLD, "")


def test_a_stopped_server_runs_after_its_rebuild(provider: OpenStackProvider, nova: Nova) -> None:
    provider.stop_server(HANDLE, "s")
    nova.record["OS-EXT-STS:task_state"] = None
    provider.rebuild_server(HANDLE, NEW, FILES, "first")
    assert provider.inspect_server(HANDLE).state == ServerState.ACTIVE
    assert nova.does() == ["os-stop", "rebuild", "os-start"]


def test_a_stopped_server_is_not_resized(provider: OpenStackProvider, nova: Nova) -> None:
    provider.stop_server(HANDLE, "s")
    with pytest.raises(ProviderError, match="is stopped"):
        provider.resize_server(HANDLE, FlavorSpec("2", "larger", 2048, 2))
    assert nova.does() == ["os-stop"]


def test_a_rebuild_in_the_way_of_another_change_is_worth_another_try(
    stub: CloudStub, provider: OpenStackProvider
) -> None:
    words = "Cannot 'rebuild' instance while it is in task_state powering-off"
    stub.on("POST", f"{ONE}/action", (409, {"conflictingRequest": {"message": words}}))
    with pytest.raises(ProviderError, match="powering-off") as told:
        provider.rebuild_server(HANDLE, NEW, FILES, "first")
    assert told.value.body.retryable


# stops and reboots


def test_a_stop_that_takes_too_long_is_worth_another_try_and_is_gone_on_with(
    stub: CloudStub, provider: OpenStackProvider, nova: Nova, tmp_path: Path
) -> None:
    nova.follows = False
    with pytest.raises(ProviderError, match="would not end") as told:
        OpenStackProvider(settings_for(stub, tmp_path, patience=0.1)).stop_server(HANDLE, "s")
    assert told.value.body.retryable
    nova.follows = True
    assert provider.stop_server(HANDLE, "s").state == ServerState.STOPPED


def test_a_reboot_that_was_not_begun_is_begun_by_the_next_call(
    stub: CloudStub, provider: OpenStackProvider, nova: Nova
) -> None:
    stub.on("POST", f"{ONE}/action", (503, None), lambda asked: nova._act(asked.body))
    with pytest.raises(ProviderError):
        provider.reboot_server(HANDLE, "r")
    for _ in range(2):
        provider.reboot_server(HANDLE, "r")
    assert nova.does() == ["reboot"]


def test_recovery_starts_what_is_to_run_and_nothing_else(
    stub: CloudStub, provider: OpenStackProvider, nova: Nova
) -> None:
    stub.on("GET", f"{SERVERS}/detail", lambda asked: (200, {"servers": [nova.record]}))
    provider.stop_server(HANDLE, "s")
    provider.recover()
    assert nova.does() == ["os-stop"]
    provider.reboot_server(HANDLE, "r")
    nova.record["status"] = "SHUTOFF"
    nova.record["OS-EXT-STS:task_state"] = "rebuilding"
    provider.recover()
    nova.record["OS-EXT-STS:task_state"] = None
    provider.recover()
    assert nova.does() == ["os-stop", "reboot", "os-start"]


def test_recovery_outlives_a_cloud_that_does_not_answer(
    stub: CloudStub, provider: OpenStackProvider, caplog: pytest.LogCaptureFixture
) -> None:
    stub.on("GET", f"{SERVERS}/detail", (503, None))
    for _ in range(3):
        provider.recover()
    told = [record for record in caplog.records if record.name.startswith("instar.")]
    assert [record.message.count("error=") for record in told] == [1]


# sizes


def test_a_resize_is_asked_for_once_and_confirmed_by_whoever_looks(
    provider: OpenStackProvider, nova: Nova
) -> None:
    assert provider.inspect_server(HANDLE).flavor == "1"
    for _ in range(2):
        provider.resize_server(HANDLE, provider.flavors()[1])
    info = provider.inspect_server(HANDLE)
    assert (info.state, info.flavor) == (ServerState.ACTIVE, "2")
    assert nova.does() == ["resize", "confirmResize"]


# making


def spec() -> ServerSpec:
    port = Port(handles.make("port", PORT, "instar-1"), "10.0.0.5", "shop-1.example")
    volume = handles.make("volume", VOLUME, "instar-1")
    return ServerSpec("instar-1", OLD, FlavorSpec("1", "db", 1, 1), port, volume, FILES, title="shop")


def test_of_two_who_make_a_server_one_gets_the_volume_and_the_other_finds_it(
    stub: CloudStub, provider: OpenStackProvider, nova: Nova
) -> None:
    stub.on("GET", f"{SERVERS}/detail", (200, {"servers": []}), (200, {"servers": [nova.record]}))
    stub.on("POST", SERVERS, (400, {"badRequest": {"message": f"volume {VOLUME} is not available"}}))
    assert provider.ensure_server(spec()).handle == HANDLE
    (sent,) = (each.body["server"] for each in stub.all("POST", SERVERS))
    assert sent["hostname"] == "shop-1"
    assert sent["networks"] == [{"port": PORT}]
    assert [disk["uuid"] for disk in sent["block_device_mapping_v2"]] == [OLD, VOLUME]
    assert sent["tags"] == ["instar", "instar-1"]
    assert sent["name"] == "shop"


def test_a_server_that_nova_refuses_is_told_with_novas_words(
    stub: CloudStub, provider: OpenStackProvider
) -> None:
    stub.on("GET", f"{SERVERS}/detail", (200, {"servers": []}))
    stub.on("POST", SERVERS, (400, {"badRequest": {"message": "Flavor's disk is too small"}}))
    with pytest.raises(ProviderError, match="disk is too small") as told:
        provider.ensure_server(spec())
    assert not told.value.body.retryable


def test_files_that_do_not_fit_into_user_data_are_refused_before_nova_is_asked(
    provider: OpenStackProvider, nova: Nova
) -> None:
    with pytest.raises(ProviderError, match="too large"):
        provider.rebuild_server(HANDLE, NEW, {"etc/large": "x" * user_data.ROOM}, "t")
    with pytest.raises(BadRequest, match="files"):
        provider.rebuild_server(HANDLE, NEW, {"etc/../../x": ""}, "t")
    assert not nova.done


# tokens


def test_tokens_are_remembered_in_one_value_of_metadata() -> None:
    tokens = ""
    for number in range(100):
        tokens = remember(tokens, f"{number}")
    assert len(tokens) <= 255
    assert is_newest(tokens, "99")
    assert knows(tokens, "80")
    assert not knows(tokens, "1")
    assert not is_newest(tokens, "98")
