import shutil
import ssl
from pathlib import Path

import pytest

from moorage_testkit import certificates

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")


def test_a_certificate_is_its_own_root(tmp_path: Path) -> None:
    made = certificates.make(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made.certificate, made.key)
    client = ssl.create_default_context(cafile=str(made.certificate))
    assert any(entry["subject"][0][0] == ("commonName", "server") for entry in client.get_ca_certs())


def test_an_authority_is_believed_until_its_certificates_expire(tmp_path: Path) -> None:
    authority = certificates.make(tmp_path, "authority")
    good = certificates.issue(tmp_path, "good", authority)
    late = certificates.issue(tmp_path, "late", authority, expired=True)
    assert verdict(good, authority) == "good"
    assert "expired" in verdict(late, authority)
    assert "unable to get local issuer" in verdict(good, certificates.make(tmp_path, "other"))


def verdict(server: certificates.Certificate, trusted: certificates.Certificate) -> str:
    """What a client that trusts one certificate says of a server: its name, or why not."""
    there, here = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=str(trusted.certificate))
    there.load_cert_chain(server.certificate, server.key)
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = here.wrap_bio(to_client, to_server, server_hostname="localhost")
    serving = there.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for end in (client, serving):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError as error:
                return error.verify_message
    found = client.getpeercert()
    assert found is not None
    return str(found["subject"][0][0][1])  # type: ignore[index]


def test_signatures_and_der(tmp_path: Path) -> None:
    made = certificates.make(tmp_path, "signer")
    assert len(certificates.sign(made.key, b"data")) == 256
    assert ssl.DER_cert_to_PEM_cert(certificates.der(made.certificate)).startswith("-----BEGIN CERTIFICATE-----")


def test_what_openssl_says_is_told(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="openssl dgst"):
        certificates.sign(tmp_path / "none", b"")
