"""Certificates for loopback, made by the openssl command and trusted by nobody else."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate, which is its own root, and its key. PEM files."""

    certificate: Path
    key: Path


def make(directory: Path, name: str = "server", address: str = "127.0.0.1") -> Certificate:
    """A new certificate for ``address`` (an IP address) and localhost, good for two days. Takes some milliseconds."""
    made = Certificate(directory / f"{name}.crt", directory / f"{name}.key")
    _openssl(
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha256", "-days", "2", "-subj", f"/CN={name}"),
        *("-addext", f"subjectAltName=IP:{address},DNS:localhost"),
        *("-keyout", str(made.key), "-out", str(made.certificate)),
    )
    return made


def issue(
    directory: Path, name: str, authority: Certificate, *, address: str = "127.0.0.1", expired: bool = False
) -> Certificate:
    """A certificate for servers and clients that ``authority`` signed, good for two days unless it is over already."""
    made = Certificate(directory / f"{name}.crt", directory / f"{name}.key")
    request, extensions = directory / f"{name}.csr", directory / f"{name}.ext"
    _openssl(
        *("req", "-new", "-newkey", "rsa:2048", "-nodes", "-sha256", "-subj", f"/CN={name}"),
        *("-keyout", str(made.key), "-out", str(request)),
    )
    extensions.write_text(f"subjectAltName=IP:{address},DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n")
    signing = (
        *("x509", "-req", "-sha256", "-in", str(request), "-out", str(made.certificate), "-extfile", str(extensions)),
        *("-CA", str(authority.certificate), "-CAkey", str(authority.key), "-CAcreateserial"),
    )
    if not expired:
        _openssl(*signing, "-days", "2")
        return made
    try:
        _openssl(*signing, "-not_before", "20200101000000Z", "-not_after", "20200102000000Z")
    except RuntimeError:  # openssl before 3.4 knows no dates, and takes what later ones refuse
        _openssl(*signing, "-days", "-1")
    return made


def sign(key: Path, data: bytes) -> bytes:
    """RSA signature over SHA-256 (what a JSON web token calls RS256)."""
    return _openssl("dgst", "-sha256", "-sign", str(key), input=data)


def der(certificate: Path) -> bytes:
    """The certificate in DER."""
    return _openssl("x509", "-in", str(certificate), "-outform", "DER")


def _openssl(*arguments: str, input: bytes = b"") -> bytes:
    done = subprocess.run(["openssl", *arguments], input=input, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"openssl {arguments[0]}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
