"""How the openstack provider asks a cloud: what goes wrong is told for what it is; pages, tokens, images."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloud_stub import PROJECT, Asked, CloudStub, serving, settings_for
from instar.control.providers.base import AccessRule
from instar.control.providers.openstack import handles
from instar.control.providers.openstack.provider import OpenStackProvider
from instar.wire.agent import Manifest
from instar.wire.errors import NotFound, ProviderError
from instar.wire.image_properties import MANIFEST, to_properties

FLAVORS, VOLUMES, IMAGES = "/compute/v2.1/flavors/detail", "/volume/v3/volumes", "/image/v2/images"
NETWORK = "/network/v2.0"
IDS = [f"5e0c7a3c-0000-4000-8000-00000000000{number}" for number in range(5)]


@pytest.fixture
def stub() -> Iterator[CloudStub]:
    with serving() as stub:
        yield stub


@pytest.fixture
def provider(stub: CloudStub, tmp_path: Path) -> OpenStackProvider:
    return OpenStackProvider(settings_for(stub, tmp_path))


def flavor(number: int) -> dict[str, Any]:
    return {"id": str(number), "name": f"db.{number}", "ram": 1024 * number, "vcpus": number, "disk": 5}


@pytest.mark.parametrize(
    ("status", "body", "brief", "retryable"),
    [
        (403, {"forbidden": {"message": "Quota exceeded for instances"}}, "no room left", False),
        (
            413,
            {"overLimit": {"message": "VolumeLimitExceeded: Maximum number allowed"}},
            "no room left",
            False,
        ),
        (
            409,
            {"NeutronError": {"type": "OverQuota", "message": "Quota exceeded for port"}},
            "no room",
            False,
        ),
        (409, {"NeutronError": {"message": "No more IP addresses available on network"}}, "no room", False),
        (403, {"forbidden": {"message": "Policy doesn't allow it"}}, "refused", False),
        (400, {"badRequest": {"message": "Can not find requested image"}}, "refused", False),
        (409, {"conflictingRequest": {"message": "it is in task_state rebuilding"}}, "refused", True),
        (429, {"overLimit": {"message": "too many requests"}}, "refused", True),
        (500, {"computeFault": {"message": "Unexpected API Error"}}, "refused", True),
        (503, None, "refused", True),
    ],
)
def test_what_the_cloud_refuses_is_told_with_its_words_and_whether_to_try_again(
    stub: CloudStub, provider: OpenStackProvider, status: int, body: Any, brief: str, retryable: bool
) -> None:
    stub.on("GET", FLAVORS, (status, body))
    with pytest.raises(ProviderError, match=brief) as told:
        provider.flavors()
    assert told.value.body.retryable == retryable
    assert told.value.body.remedy
    assert f"HTTP {status}" in told.value.body.seen
    assert "req-1" in told.value.body.seen
    for word in (body or {}).values():
        assert word["message"] in told.value.body.seen


def test_a_cloud_that_does_not_answer_is_worth_another_try(tmp_path: Path) -> None:
    with serving() as stub:
        settings = settings_for(stub, tmp_path)
    with pytest.raises(ProviderError, match="could not be asked to list flavors") as told:
        OpenStackProvider(settings).flavors()
    assert told.value.body.retryable


def test_a_service_that_goes_down_later_is_worth_another_try(tmp_path: Path) -> None:
    with serving() as stub:
        provider = OpenStackProvider(settings_for(stub, tmp_path))
        stub.on("GET", FLAVORS, (200, {"flavors": [flavor(1)]}))
        assert provider.flavors()
    with pytest.raises(ProviderError, match="could not be asked") as told:
        provider.image(IDS[0])
    assert told.value.body.retryable


def test_wrong_credentials_are_no_matter_of_patience(stub: CloudStub, provider: OpenStackProvider) -> None:
    stub.on("GET", FLAVORS, (401, {"error": {"message": "requires authentication"}}))
    with pytest.raises(ProviderError, match="did not let us in") as told:
        provider.flavors()
    assert not told.value.body.retryable
    assert "secret" not in str(told.value)


def test_a_token_that_expires_in_between_is_renewed(stub: CloudStub, provider: OpenStackProvider) -> None:
    stub.on("GET", f"{IMAGES}/{IDS[0]}", (200, image(IDS[0])))
    assert provider.image(IDS[0])
    stub.expire_tokens()
    assert provider.image(IDS[0])
    assert stub.logins == 2


@pytest.mark.parametrize("cloud", ["nowhere", None])
def test_access_data_that_are_not_there_are_asked_for(
    stub: CloudStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cloud: str | None
) -> None:
    settings = dataclasses.replace(settings_for(stub, tmp_path), cloud=cloud)
    if cloud is None:
        (tmp_path / "clouds.yaml").write_text("clouds: {}")
    with pytest.raises(ProviderError) as told:
        OpenStackProvider(settings).flavors()
    assert "clouds.yaml" in told.value.body.remedy
    assert not told.value.body.retryable


# images


def image(image_id: str, **more: Any) -> dict[str, Any]:
    manifest = Manifest(
        recipe="toy",
        datastore="toy",
        manager="toy",
        engine_version="1",
        version_name="1",
        agent_version="1",
    )
    about = {"id": image_id, "name": "toy", "status": "active", "visibility": "private", "owner": PROJECT}
    return {**about, **to_properties(manifest, []), **more}


def test_images_are_read_to_their_last_page(stub: CloudStub, provider: OpenStackProvider) -> None:
    def page(asked: Asked) -> tuple[int, Any]:
        if "marker" in asked.query:
            return 200, {"images": [image(IDS[1])]}
        return 200, {"images": [image(IDS[0])], "next": f"/v2/images?marker={IDS[0]}&status=active"}

    stub.on("GET", IMAGES, page)
    assert [each.ref for each in provider.images()] == IDS[:2]


def test_only_what_an_operator_published_is_an_image_of_ours(
    stub: CloudStub, provider: OpenStackProvider
) -> None:
    listed = [
        image(IDS[0]),
        image(IDS[1], owner="a tenant", visibility="shared"),
        image(IDS[2], owner="admin", visibility="public"),
        image(IDS[3], **{MANIFEST: "{"}),
        {name: value for name, value in image(IDS[4]).items() if name != MANIFEST},
    ]
    stub.on("GET", IMAGES, (200, {"images": listed}))
    for each in listed:
        stub.on("GET", f"{IMAGES}/{each['id']}", (200, each))
    assert [each.ref for each in provider.images()] == [IDS[0], IDS[2]]
    for foreign in (IDS[1], IDS[4], "../flavors", ""):
        with pytest.raises(NotFound):
            provider.image(foreign)
    with pytest.raises(ProviderError, match=MANIFEST):
        provider.image(IDS[3])


def test_tags_stand_for_the_newest_image_of_ours_that_has_them_all(
    stub: CloudStub, provider: OpenStackProvider
) -> None:
    listed = [
        image(IDS[0], tags=["db", "stable"], created_at="2026-01-01T00:00:00Z"),
        image(IDS[1], tags=["db", "stable", "more"], created_at="2026-01-03T00:00:00Z"),
        image(IDS[2], tags=["db"], created_at="2026-01-04T00:00:00Z"),
        image(IDS[3], tags=["db", "stable"], created_at="2026-01-05T00:00:00Z", owner="a tenant"),
    ]
    stub.on("GET", IMAGES, (200, {"images": listed}))
    assert provider.newest_image(["db", "stable"]) == IDS[1]
    assert provider.newest_image(["db", "beta"]) is None
    (asked, _) = stub.all("GET", IMAGES)
    assert (asked.query["tag"], asked.query["status"]) == (["db", "stable"], ["active"])


# volumes


def test_a_volume_that_no_back_end_takes_is_deleted_and_cinders_reason_told(
    stub: CloudStub, provider: OpenStackProvider
) -> None:
    record = {"id": IDS[0], "name": "v", "size": 1, "status": "error", "attachments": [], "created_at": "1"}
    stub.on("GET", f"{VOLUMES}/detail", (200, {"volumes": []}))
    stub.on("POST", VOLUMES, (202, {"volume": record | {"status": "creating"}}))
    stub.on("GET", f"{VOLUMES}/{IDS[0]}", (200, {"volume": record}))
    stub.on("DELETE", f"{VOLUMES}/{IDS[0]}", (202, None))
    words = "schedule allocate volume: Could not find any available weighted backend."
    said = {"id": "m", "resource_uuid": IDS[0], "user_message": words}
    other = {"id": "n", "resource_uuid": IDS[1], "user_message": "another volume's"}
    stub.on("GET", "/volume/v3/messages", (200, {"messages": [other, said]}))
    with pytest.raises(ProviderError, match="could not be made") as told:
        provider.ensure_volume("v", 1)
    assert words in told.value.body.seen
    assert stub.all("DELETE", f"{VOLUMES}/{IDS[0]}")


def test_of_two_volumes_made_at_once_the_older_counts_and_the_other_goes(
    stub: CloudStub, provider: OpenStackProvider
) -> None:
    def volume(number: int) -> dict[str, Any]:
        made = {"id": IDS[number], "created_at": f"2026-01-01T00:00:0{number}.000000"}
        return {**made, "name": "v", "size": 1, "status": "available", "attachments": []}

    stub.on("GET", f"{VOLUMES}/detail", (200, {"volumes": []}), (200, {"volumes": [volume(2), volume(1)]}))
    stub.on("POST", VOLUMES, (202, {"volume": volume(2)}))
    for number in (1, 2):
        stub.on("GET", f"{VOLUMES}/{IDS[number]}", (200, {"volume": volume(number)}))
        stub.on("DELETE", f"{VOLUMES}/{IDS[number]}", (202, None))
    assert provider.ensure_volume("v", 1).id == IDS[1]
    assert stub.all("DELETE", f"{VOLUMES}/{IDS[2]}")
    assert not stub.all("DELETE", f"{VOLUMES}/{IDS[1]}")


# ports


def test_whom_a_port_lets_in_is_changed_and_the_agent_stays_within_reach(
    stub: CloudStub, provider: OpenStackProvider
) -> None:
    def rule(number: int, port: int, source: str) -> dict[str, Any]:
        ends = {"port_range_min": port, "port_range_max": port}
        return {"id": IDS[number], "direction": "ingress", "remote_ip_prefix": source, **ends}

    there = [rule(0, 3306, "0.0.0.0/0"), rule(1, 5432, "10.1.0.0/16"), rule(2, 9779, "0.0.0.0/0")]
    out = {"id": IDS[3], "direction": "egress"}
    group = {"id": IDS[4], "name": "p", "created_at": "1", "security_group_rules": [*there, out]}
    stub.on("GET", f"{NETWORK}/security-groups", (200, {"security_groups": [group]}))
    stub.on("POST", f"{NETWORK}/security-group-rules", (201, {"security_group_rules": []}))
    stub.on("DELETE", f"{NETWORK}/security-group-rules/{IDS[0]}", (204, None))
    provider.limit_access(handles.make("port", IDS[0], "p"), AccessRule(allowed_cidrs=("10.1.0.0/16",)))
    (made,) = (
        each.body["security_group_rules"] for each in stub.all("POST", f"{NETWORK}/security-group-rules")
    )
    assert [(each["port_range_min"], each["remote_ip_prefix"]) for each in made] == [(3306, "10.1.0.0/16")]
    assert [each.path for each in stub.asked if each.method == "DELETE"] == [
        f"{NETWORK}/security-group-rules/{IDS[0]}"
    ]
