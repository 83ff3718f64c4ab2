"""Certificates that a server forgot to send: fetched from where its own says, believed only below a trusted root."""

import re
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID
from cryptography.x509.verification import PolicyBuilder, ServerVerifier, Store, VerificationError

from glimmr.errors import FetchError, StorageFault, TlsUntrusted
from glimmr.net.urls import host_of, literal, redact

# Some old roots have it, are trusted by every system all the same, and nothing here depends on it.
warnings.filterwarnings("ignore", message="Parsed a serial number which wasn't positive")

_MOST_FETCHED = 3  # chains of the web have one or two intermediates
_KEPT_SECONDS = 3600.0  # servers renew their certificates, and authorities theirs
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)

Fetch = Callable[[str], bytes]


class Issuers:
    """What is missing between a server's certificate and the roots of `ca_bundle`, by host. Any thread may use it.

    A certificate that was fetched is a stranger's word. It is given to libcurl only if it stands in a chain that was
    verified up to one of the roots, and never as a root itself (`SSLOPT_NO_PARTIALCHAIN` holds libcurl to that, too).
    """

    def __init__(self, ca_bundle: str) -> None:
        self._ca_bundle = ca_bundle
        self._known: dict[str, tuple[float, bytes]] = {}

    def bundle(self, url: str, presented: Callable[[], Sequence[str]], fetch: Fetch) -> bytes:
        """The roots and what is missing below them for the server of `url`, as PEM.

        `presented` gives the PEM of what the server shows, its own first; `fetch` the bytes at an http address. Both
        are asked about once an hour. Raises TlsUntrusted when there is no chain to a root.
        """
        host = host_of(url)
        until, known = self._known.get(host, (0.0, b""))
        if time.monotonic() >= until:
            roots = self._roots()
            shown = _read("\n".join(presented()).encode())
            missing = _missing(url, shown, _read(roots), fetch) if shown else []
            known = b"\n".join([roots, *(one.public_bytes(Encoding.PEM) for one in missing)])
            self._known[host] = (time.monotonic() + _KEPT_SECONDS, known)
        return known

    def _roots(self) -> bytes:
        try:
            return Path(self._ca_bundle).read_bytes() if self._ca_bundle else b""
        except OSError as error:
            raise StorageFault(f"the trusted certificates of {self._ca_bundle} cannot be read: {error}") from error


def _missing(
    url: str, shown: Sequence[x509.Certificate], roots: list[x509.Certificate], fetch: Fetch
) -> list[x509.Certificate]:
    leaf, *sent = shown
    verifier = _verifier(url, roots)
    fetched: list[x509.Certificate] = []
    while True:
        try:
            chain = verifier.verify(leaf, [*sent, *fetched])
        except (VerificationError, x509.UnsupportedGeneralNameType) as error:
            last = _last(leaf, [*sent, *fetched])
            if any(_is_issued_by(last, root) for root in roots):
                raise _untrusted(url, f"nothing is missing, but {error}") from error
            if len(fetched) == _MOST_FETCHED:
                raise _untrusted(url, f"{len(fetched)} of its issuers were fetched, and none is trusted") from error
            fetched.append(_issuer(url, last, fetch))
        else:
            return [one for one in chain[1:-1] if one in fetched]


def _last(leaf: x509.Certificate, pool: Sequence[x509.Certificate]) -> x509.Certificate:
    """The certificate whose issuer is not there."""
    left, last = list(pool), leaf
    while above := next((one for one in left if _is_issued_by(last, one)), None):
        left.remove(above)
        last = above
    return last


def _issuer(url: str, certificate: x509.Certificate, fetch: Fetch) -> x509.Certificate:
    """The certificate that signed this one, from where this one says it is."""
    if _is_issued_by(certificate, certificate):
        name = certificate.subject.rfc4514_string()[:100]
        raise _untrusted(url, f"it leads to {name!r}, which GLIMMR_CA_BUNDLE can name if it is to be trusted")
    why = "it does not say where its issuer's certificate is"
    for address in _addresses(certificate):
        try:
            found = _parsed(fetch(address))
        except FetchError as error:
            why = f"its issuer's certificate cannot be fetched: {error}"
        except ValueError:
            why = f"there is no certificate at {redact(address)}"
        else:
            if found != certificate and _is_issued_by(certificate, found):
                return found
            why = f"the certificate at {redact(address)} is not its issuer's"
    raise _untrusted(url, why)


def _addresses(certificate: x509.Certificate) -> list[str]:
    """Where it says that its issuer's certificate is (RFC 5280 §4.2.2.1). By http only: https would need an issuer."""
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    places = [one.access_location for one in access if one.access_method == AuthorityInformationAccessOID.CA_ISSUERS]
    found = [one.value for one in places if isinstance(one, x509.UniformResourceIdentifier)]
    return [address for address in found if address.lower().startswith("http://")]


def _parsed(data: bytes) -> x509.Certificate:
    """DER, as the standard wants it, or PEM. Raises ValueError."""
    return x509.load_pem_x509_certificate(data) if _PEM.search(data) else x509.load_der_x509_certificate(data)


def _is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):  # as it says of names and keys
        return False
    return True


def _verifier(url: str, roots: list[x509.Certificate]) -> ServerVerifier:
    host = host_of(url)
    address = literal(host)
    try:
        name = x509.IPAddress(address) if address is not None else x509.DNSName(host)
        return PolicyBuilder().store(Store(roots)).build_server_verifier(name)
    except ValueError as error:  # a name that no certificate can have, or no roots at all
        raise _untrusted(url, str(error)) from error


def _read(bundle: bytes) -> list[x509.Certificate]:
    """The certificates in a text; one that cannot be read vouches for nobody."""
    found: list[x509.Certificate] = []
    for text in _PEM.findall(bundle):
        try:
            found.append(x509.load_pem_x509_certificate(text))
        except ValueError:
            continue
    return found


def _untrusted(url: str, why: str) -> TlsUntrusted:
    shown = redact(url)
    return TlsUntrusted(f"{shown}: the certificate's issuer is not trusted: {why}", url=shown)
