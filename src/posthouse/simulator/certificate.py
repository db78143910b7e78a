"""A certificate of our own for the TLS ports: nobody vouches for it, so that clients must be told to trust it."""

import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True)
class Certificate:
    """A server's context; the fingerprint as `sha256:` and 64 hexadecimal digits; the certificate in PEM."""

    context: ssl.SSLContext
    fingerprint: str
    pem: str


def self_signed(*, expired: bool = False) -> Certificate:
    """For `localhost`, 127.0.0.1 and ::1, valid for a year; or `expired` since yesterday."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Posthouse simulator")])
    end = datetime.now(UTC) + (timedelta(days=-1) if expired else timedelta(days=365))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - timedelta(days=366))
        .not_valid_after(end)
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("localhost"), *(x509.IPAddress(ip_address(each)) for each in ("127.0.0.1", "::1"))]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:  # readable by us alone; the ssl module takes only files
        file = Path(folder, "both.pem")
        file.write_bytes(secret + pem)
        context.load_cert_chain(file)
    return Certificate(context, f"sha256:{certificate.fingerprint(hashes.SHA256()).hex()}", pem.decode())
