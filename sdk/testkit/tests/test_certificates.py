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


def test_signatures_and_der(tmp_path: Path) -> None:
    made = certificates.make(tmp_path, "signer")
    assert len(certificates.sign(made.key, b"data")) == 256
    assert ssl.DER_cert_to_PEM_cert(certificates.der(made.certificate)).startswith("-----BEGIN CERTIFICATE-----")


def test_what_openssl_says_is_told(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="openssl dgst"):
        certificates.sign(tmp_path / "none", b"")
