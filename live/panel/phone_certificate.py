"""The certificate of the control page for a phone: made on this machine, for one address, and kept."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from engines.errors import os_errors
from engines.paths import config_dir
from live.panel.panel_access import write_private

_LIFE = datetime.timedelta(days=365)
_RENEWED = datetime.timedelta(days=7)  # before its end


def phone_certificate(address: str) -> tuple[Path, str]:
    """Return the PEM file of key and certificate for an address, and the certificate's SHA-256 fingerprint.

    It stays the same from run to run, so that a phone which was told to accept it warns only once. A new one is made
    for another address, and before the old one ends. The file is readable by this user only.

    Raises:
        OptionsError: The file cannot be written.
    """
    path = config_dir() / "panel-certificate.pem"
    certificate = _stored(path, address)
    if certificate is None:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _signed(address, key)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with os_errors(f"certificate {path}", "let this user write the folder"):
            write_private(path, (private + certificate.public_bytes(serialization.Encoding.PEM)).decode())
    return path, certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def _stored(path: Path, address: str) -> x509.Certificate | None:
    """Return the certificate of an earlier run if it is still of use; a damaged file is replaced."""
    try:
        data = path.read_bytes()
        certificate = x509.load_pem_x509_certificate(data)
        serialization.load_pem_private_key(data, None)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return None
    lasts = certificate.not_valid_after_utc - datetime.datetime.now(datetime.timezone.utc) > _RENEWED
    known = ipaddress.ip_address(address) in names.get_values_for_type(x509.IPAddress)
    return certificate if lasts and known else None


def _signed(address: str, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    now = datetime.datetime.now(datetime.timezone.utc)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Veneer on this network")])
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))  # the clock of the phone may be behind
        .not_valid_after(now + _LIFE)
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
