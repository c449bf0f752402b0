"""Certificates and keys for the storage's internal ports.

SeaweedFS has an HTTP port and a gRPC port for each of its servers (master, volume, filer, admin), and by default each
of them serves every stored object without authentication. Here all of them require a client certificate (mutual TLS)
that only this process has, and signed tokens (JWT), which also protect the UNIX sockets. Only the S3 port answers, and
only to signed requests.
"""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

NO_ORIGIN: Final = "https://sandbox.invalid"
"""The only web origin allowed by CORS: a name reserved by RFC 2606, which no page can have."""
_VALID_DAYS: Final = 365
_GRPC_PARTS: Final = (
    *("master", "volume", "filer", "s3", "admin", "worker", "client"),
    *("mq", "msg_broker", "msg_agent"),
)
_HTTP_PARTS: Final = ("client", "master", "volume", "filer", "admin")
_TOKENS: Final = ("jwt.signing", "jwt.signing.read", "jwt.filer_signing", "jwt.filer_signing.read")


def write_security(folder: Path) -> None:
    """Write ``security.toml``, where SeaweedFS looks for it when it starts in `folder`, and the files that it names.

    Raises:
        ImportError: `cryptography` is not installed.
        OSError: A file cannot be written.
    """
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    certificate_pem, key_pem = _self_signed()
    _write_private(certificate, certificate_pem)
    _write_private(key, key_pem)
    _write_private(folder / "security.toml", _settings(str(certificate), str(key)).encode())


def _write_private(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)


def _self_signed() -> tuple[bytes, bytes]:
    """Return a self-signed certificate for both ends of a connection, and its private key, as PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "onetake sandbox")])
    now = datetime.now(UTC)
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=_VALID_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .sign(key, hashes.SHA256())
    )
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(*form)


def _settings(certificate: str, key: str) -> str:
    """Return the content of ``security.toml``. Paths are JSON strings, which are valid TOML strings."""
    import json

    pair = [f"cert = {json.dumps(certificate)}", f"key = {json.dumps(key)}"]
    authority = f"ca = {json.dumps(certificate)}"
    lines = ["[cors.allowed_origins]", f'values = "{NO_ORIGIN}"', "[filer.expose_directory_metadata]"]
    lines += ["enabled = false", "[access]", "ui = false", "[grpc]", authority]
    for part in _GRPC_PARTS:
        lines += [f"[grpc.{part}]", *pair]
    for part in _HTTP_PARTS:
        lines += [f"[https.{part}]", *pair, authority]
        if part == "client":
            lines.append("enabled = true")
    for token in _TOKENS:
        lines += [f"[{token}]", f'key = "{secrets.token_hex(32)}"']
    return "\n".join(lines) + "\n"
