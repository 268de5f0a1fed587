"""A server's root with everything injected, and a certificate authority."""

from pathlib import Path

import pytest

from certificates import Authority
from instar.wire import agent as wire

MANIFEST = wire.Manifest(
    digest="sha256:1",
    recipe="test",
    datastore="postgresql",
    manager="postgresql",
    engine_version="17.10",
    version_name="17.10",
    agent_version="0.1.0",
)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def fill(root: Path, authority: Authority) -> Path:
    """Inject everything below a root directory."""
    (root / "etc/instar/tls").mkdir(parents=True)
    (root / "var/lib/instar/data").mkdir(parents=True)
    (root / wire.GUEST_INFO).write_text(
        "[guest]\ninstance_id = i-1\nhostname = db\naddress = 127.0.0.1\nram = 256\n"
    )
    (root / wire.GUEST_AGENT).write_text("[agent]\nport = 9000\n")
    (root / wire.IMAGE_MANIFEST).write_text(MANIFEST.model_dump_json())
    certificate, key = authority.issue("i-1", "127.0.0.1")
    (root / wire.TLS_CERTIFICATE).write_bytes(certificate.read_bytes())
    (root / wire.TLS_KEY).write_bytes(key.read_bytes())
    (root / wire.TLS_AUTHORITY).write_bytes(authority.certificate.read_bytes())
    return root


@pytest.fixture
def root(tmp_path: Path, authority: Authority) -> Path:
    return fill(tmp_path, authority)


@pytest.fixture(scope="module")
def lasting_root(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Path:
    return fill(tmp_path_factory.mktemp("root"), authority)
