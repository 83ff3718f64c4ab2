"""TLS in front of a plain server on loopback (the world's, Redis's): each name has a certificate, right or wrong."""

import asyncio
import base64
import ssl
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.support.authority import Issued, root
from tests.support.loopback import Loopback

# The second group of RFC 2409, 1024 bits: what old servers have, and OpenSSL calls too small.
_SMALL_PRIME = bytes.fromhex(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF"
)
# PKCS #3's DHParameter: a sequence of the prime and the generator 2.
_SMALL_GROUP = bytes.fromhex("308187028181 00") + _SMALL_PRIME + bytes.fromhex("020102")


class TlsFront(Loopback):
    """Passes bytes on to `port`. The name a client asks for chooses how it is served, by `variants`; else `good`.

    `good`; `expired`; `other_host`: a certificate of another name; `unknown`: of an authority nobody trusts;
    `no_intermediate`: the chain lacks one, which the certificate says is at `aia`; `tls10`: nothing newer than TLS 1.0;
    `small_dh`: a key exchange of 1024 bits. `certificate` is a file with the authority to trust.
    """

    def __init__(
        self, port: int, folder: Path, variants: Mapping[str, str] | None = None, *, aia: str = "http://aia.test/i.cer"
    ) -> None:
        super().__init__()
        self.root, self.rogue = root("Glimmr Test Root"), root("Nobody's Root")
        self.intermediate = self.root.below("Glimmr Test Intermediate")
        self.certificate = folder / "root.pem"
        self.certificate.write_bytes(self.root.pem)
        self.names: list[str] = []  # asked for, in this order
        self._folder, self._variants, self._aia = folder, variants or {}, aia
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._to_port = port

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello = await reader.read(65_536)
        name = server_name(hello)
        self.names.append(name)
        tls = _Tls(self._context(name or "localhost"), reader, writer, hello)
        await tls.handshake()
        first = await tls.read()
        if not first:
            return  # it wanted to see the certificate, no more
        there_reader, there_writer = await self._onward(self._to_port)
        there_writer.write(first)
        await asyncio.gather(
            self._pump(tls.read, there_writer.write, there_writer),
            self._pump(lambda: there_reader.read(65_536), tls.write, writer),
        )

    def _context(self, host: str) -> ssl.SSLContext:
        if host not in self._contexts:
            self._contexts[host] = _CONTEXTS[self._variants.get(host, "good")](self, host)
        return self._contexts[host]

    def _served(self, leaf: Issued, *above: Issued) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(leaf.write(self._folder, *above))
        return context

    def _good(self, host: str) -> ssl.SSLContext:
        return self._served(self.intermediate.leaf(host), self.intermediate)

    def _expired(self, host: str) -> ssl.SSLContext:
        return self._served(self.intermediate.leaf(host, days=(-30, -1)), self.intermediate)

    def _other_host(self, host: str) -> ssl.SSLContext:
        return self._served(self.intermediate.leaf(f"not-{host}"), self.intermediate)

    def _unknown(self, host: str) -> ssl.SSLContext:
        return self._served(self.rogue.leaf(host))

    def _no_intermediate(self, host: str) -> ssl.SSLContext:
        return self._served(self.intermediate.leaf(host, aia=self._aia))

    def _tls10(self, host: str) -> ssl.SSLContext:
        context = self._good(host)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that it is deprecated is the point
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        return context

    def _small_dh(self, host: str) -> ssl.SSLContext:
        context = self._served(self.intermediate.leaf(host, rsa_key=True), self.intermediate)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0")
        group = self._folder / "dh.pem"
        text = base64.encodebytes(_SMALL_GROUP).decode()
        group.write_text(f"-----BEGIN DH PARAMETERS-----\n{text}-----END DH PARAMETERS-----\n")
        context.load_dh_params(str(group))
        return context


_CONTEXTS: Mapping[str, Callable[[TlsFront, str], ssl.SSLContext]] = {
    "good": TlsFront._good,
    "expired": TlsFront._expired,
    "other_host": TlsFront._other_host,
    "unknown": TlsFront._unknown,
    "no_intermediate": TlsFront._no_intermediate,
    "tls10": TlsFront._tls10,
    "small_dh": TlsFront._small_dh,
}


class _Tls:
    """The server's side of one connection. asyncio's own closes a failed handshake without the alert that says why."""

    def __init__(
        self, context: ssl.SSLContext, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hello: bytes
    ) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._incoming.write(hello)
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._reader, self._writer = reader, writer

    async def handshake(self) -> None:
        await self._until_done(self._tls.do_handshake)

    async def read(self) -> bytes:
        """The next bytes; none when the client has closed."""
        try:
            return await self._until_done(lambda: self._tls.read(65_536))
        except (EOFError, ssl.SSLZeroReturnError):
            return b""

    def write(self, data: bytes) -> None:
        self._tls.write(data)
        self._writer.write(self._outgoing.read())

    async def _until_done(self, step: Callable[[], Any]) -> Any:
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self._writer.write(self._outgoing.read())
                data = await self._reader.read(65_536)
                if not data:
                    raise EOFError from None
                self._incoming.write(data)
            finally:
                self._writer.write(self._outgoing.read())


def server_name(hello: bytes) -> str:
    """The name in a ClientHello (RFC 8446 §4.1.2, RFC 6066 §3); "" where there is none."""
    at = 5 + 4 + 2 + 32  # record and handshake headers, version, random
    for length_bytes in (1, 2, 1):  # session, cipher suites, compressions
        at += length_bytes + int.from_bytes(hello[at : at + length_bytes])
    at += 2
    while at + 4 <= len(hello):
        kind, length = int.from_bytes(hello[at : at + 2]), int.from_bytes(hello[at + 2 : at + 4])
        if kind == 0:
            return hello[at + 9 : at + 4 + length].decode("ascii")
        at += 4 + length
    return ""
