"""Certificates as the web has them, right and wrong: a root, an intermediate below it, and leaves of either."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Issued:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def write(self, folder: Path, *above: "Issued") -> Path:
        """One file of key, certificate and those `above` it, as servers are given it."""
        serial = f"{self.certificate.serial_number:x}"
        key = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path = folder / f"{serial}.pem"
        path.write_bytes(key + self.pem + b"".join(one.pem for one in above))
        return path

    def below(self, name: str, *, aia: str = "") -> Self:
        """An intermediate authority that this one vouches for."""
        return type(self)(*_sign(name, _ec(), self, aia=aia))

    def leaf(self, host: str, *, days: tuple[int, int] = (-1, 30), aia: str = "", rsa_key: bool = False) -> Self:
        """A server's certificate, valid from the first to the second day, counted from today."""
        key = rsa.generate_private_key(65537, 2048) if rsa_key else _ec()
        return type(self)(*_sign(host, key, self, host=host, days=days, aia=aia))


def root(name: str) -> Issued:
    """An authority that vouches for itself."""
    return Issued(*_sign(name, _ec(), None))


def _ec() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


def _sign(
    name: str, key: Key, by: Issued | None, *, host: str = "", days: tuple[int, int] = (-1, 30), aia: str = ""
) -> tuple[x509.Certificate, Key]:
    now, subject = datetime.now(UTC), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = by.key if by else key
    made = x509.CertificateBuilder(
        issuer_name=by.certificate.subject if by else subject,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now + timedelta(days[0]),
        not_valid_after=now + timedelta(days[1]),
    )
    made = made.add_extension(x509.BasicConstraints(ca=not host, path_length=None), critical=True)
    made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    made = made.add_extension(above, critical=False)
    if host:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    else:
        may = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False)
        may |= {"digital_signature": True, "key_cert_sign": True, "crl_sign": True}
        usage = x509.KeyUsage(**may, encipher_only=False, decipher_only=False)
        made = made.add_extension(usage, critical=True)
    if aia:
        where = x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(aia))
        made = made.add_extension(x509.AuthorityInformationAccess([where]), critical=False)
    return made.sign(signer, hashes.SHA256()), key
