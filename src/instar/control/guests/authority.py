"""The certificate authority of one installation: it signs its own certificate and every guest's."""

import datetime
import fcntl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from instar.control.store.private import write_private

CLIENT_NAME = "instar-control-plane"
"""The one name that guests let in."""
AUTHORITY_DAYS = 3650
LEAF_DAYS = 825
RENEW_DAYS = 60
CLOCK_SKEW = datetime.timedelta(hours=1)


@dataclass(frozen=True)
class KeyPair:
    """A certificate and its key, as PEM text."""

    certificate: str
    key: str


class Authority:
    """Lives in a directory (mode 0700) that all control-plane hosts share: `ca.crt`, `ca.key`, `client.*`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.certificate_file = directory / "ca.crt"
        self.client_certificate = directory / "client.crt"
        self.client_key = directory / "client.key"
        self._key_file = directory / "ca.key"
        with (directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._ensure_own()
            self._ensure_client()

    @property
    def certificate(self) -> str:
        """The authority's own certificate, as PEM text."""
        return self.certificate_file.read_text("ascii")

    def issue_server(self, name: str) -> KeyPair:
        """Make a key pair for the guest called `name`; each call makes a new one."""
        return self._issue(name, ExtendedKeyUsageOID.SERVER_AUTH)

    def _ensure_own(self) -> None:
        if self._key_file.exists() and self.certificate_file.exists():
            return
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Instar certificate authority")])
        builder = _builder(name, name, key.public_key(), AUTHORITY_DAYS)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
        )
        builder = builder.add_extension(_usage(signs=True), critical=True)
        write_private(self._key_file, _key_text(key), replace=True)
        write_private(self.certificate_file, _text(builder.sign(key, hashes.SHA256())), replace=True)

    def _ensure_client(self) -> None:
        if self.client_certificate.exists() and self.client_key.exists():
            present = x509.load_pem_x509_certificate(self.client_certificate.read_bytes())
            left = present.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
            if left.days > RENEW_DAYS:
                return
        pair = self._issue(CLIENT_NAME, ExtendedKeyUsageOID.CLIENT_AUTH)
        write_private(self.client_key, pair.key, replace=True)
        write_private(self.client_certificate, pair.certificate, replace=True)

    def _issue(self, name: str, purpose: x509.ObjectIdentifier) -> KeyPair:
        authority = x509.load_pem_x509_certificate(self.certificate_file.read_bytes())
        signer = serialization.load_pem_private_key(self._key_file.read_bytes(), password=None)
        assert isinstance(signer, ec.EllipticCurvePrivateKey)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = _builder(subject, authority.subject, key.public_key(), LEAF_DAYS)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(signs=False), critical=True)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        return KeyPair(_text(builder.sign(signer, hashes.SHA256())), _key_text(key))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _text(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _key_text(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode("ascii")
