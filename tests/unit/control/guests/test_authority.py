"""The certificate authority: who is let in, and who a guest is."""

from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from instar.control.guests.authority import CLIENT_NAME, Authority


def _names(certificate: x509.Certificate) -> tuple[str, list[str]]:
    common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return str(common), alternative.get_values_for_type(x509.DNSName)


def _purposes(certificate: x509.Certificate) -> list[x509.ObjectIdentifier]:
    return list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


def test_a_guests_certificate_is_good_for_that_guest_as_a_server_only(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "tls")
    pair = authority.issue_server("5f0d")
    certificate = x509.load_pem_x509_certificate(pair.certificate.encode())
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.certificate.encode()))
    assert _names(certificate) == ("5f0d", ["5f0d"])
    assert _purposes(certificate) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert authority.issue_server("5f0d").key != pair.key


def test_the_control_planes_certificate_is_a_clients_only(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "tls")
    certificate = x509.load_pem_x509_certificate(authority.client_certificate.read_bytes())
    assert _names(certificate) == (CLIENT_NAME, [CLIENT_NAME])
    assert _purposes(certificate) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_the_next_start_finds_the_same_authority_and_keys_are_private(tmp_path: Path) -> None:
    first = Authority(tmp_path / "tls").certificate
    assert Authority(tmp_path / "tls").certificate == first
    assert (tmp_path / "tls").stat().st_mode & 0o777 == 0o700
    for key in ("ca.key", "client.key"):
        assert (tmp_path / "tls" / key).stat().st_mode & 0o777 == 0o600
