"""A control plane in an OpenStack catalogue, found through Keystone."""

from pathlib import Path

import pytest

from control_plane_stub import PROJECT, Answer, Stub
from instar.client import Client, errors


@pytest.fixture
def keystone(stub: Stub) -> Stub:
    """Make the stub answer as Keystone does, too."""
    where = {"interface": "public", "region_id": "here", "url": f"{stub.endpoint}/v1.0/{PROJECT}"}
    token = {
        "expires_at": "2099-01-01T00:00:00.000000Z",
        "methods": ["password"],
        "catalog": [{"type": "database", "name": "instar", "id": "d", "endpoints": [where]}],
    }
    stub.on("POST", "/v3/auth/tokens", Answer({"token": token}, 201, {"X-Subject-Token": "from-keystone"}))
    stub.on("GET", "/flavors", Answer({"flavors": []}))
    return stub


def _used_keystones_token(stub: Stub) -> bool:
    return stub.calls("GET", "/flavors")[0].headers["x-auth-token"] == "from-keystone"


def test_the_environment_names_keystone(keystone: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AUTH_URL": f"{keystone.endpoint}/v3",
        "USERNAME": "ann",
        "PASSWORD": "word",
        "PROJECT_NAME": "shop",
        "USER_DOMAIN_ID": "default",
        "PROJECT_DOMAIN_ID": "default",
        "REGION_NAME": "here",
    }.items():
        monkeypatch.setenv(f"OS_{name}", value)
    assert Client.cloud().flavors.list() == []
    assert _used_keystones_token(keystone)


def test_clouds_yaml_names_keystone(keystone: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("clouds.yaml").write_text(
        f"clouds: {{lab: {{region_name: here, auth: {{auth_url: '{keystone.endpoint}/v3', username: ann,"
        " project_name: shop, user_domain_id: default, project_domain_id: default}}}"
    )
    Path("secure.yaml").write_text("clouds: {lab: {auth: {password: word}}}")
    assert Client.cloud("lab").flavors.list() == []
    assert _used_keystones_token(keystone)


def test_an_unknown_cloud_says_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.NotConfigured, match=r"clouds\.yaml"):
        Client.cloud("lab")


def test_credentials_that_keystone_refuses_are_unauthorized(
    stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub.on("POST", "/v3/auth/tokens", Answer({"error": {"message": "no", "code": 401}}, 401))
    monkeypatch.setenv("OS_AUTH_URL", f"{stub.endpoint}/v3")
    monkeypatch.setenv("OS_USERNAME", "ann")
    monkeypatch.setenv("OS_PASSWORD", "a-secret-word")
    monkeypatch.setenv("OS_USER_DOMAIN_ID", "default")
    with pytest.raises(errors.Unauthorized) as caught:
        Client.cloud().flavors.list()
    assert "a-secret-word" not in str(caught.value)
