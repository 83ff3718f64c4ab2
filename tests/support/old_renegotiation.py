"""A server as they were before RFC 5746 (2010): its ServerHello does not say that it renegotiates safely.

No TLS library plays one any more, so this is just enough of TLS 1.2 (RFC 5246) by hand: one cipher suite, one answer.
"""

import asyncio
import hashlib
import hmac
import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding

from tests.support.authority import root
from tests.support.loopback import Loopback

_VERSION = b"\x03\x03"
_RSA_AES_128_GCM_SHA256 = b"\x00\x9c"
_CHANGE, _HANDSHAKE, _DATA = 20, 22, 23


class OldRenegotiation(Loopback):
    """Answers every request with `answer`, and closes. `certificate` is a file with the authority to trust."""

    def __init__(self, host: str, answer: bytes, folder: Path) -> None:
        super().__init__()
        authority = root("Glimmr Old Root")
        self.certificate = folder / "old.pem"
        self.certificate.write_bytes(authority.pem)
        self.requests: list[bytes] = []
        self._leaf, self._answer = authority.leaf(host, rsa_key=True), answer

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, hello = await _record(reader)
        client_random, server_random = hello[6:38], os.urandom(32)
        der = self._leaf.certificate.public_bytes(Encoding.DER)
        said = (
            _message(2, _VERSION + server_random + b"\0" + _RSA_AES_128_GCM_SHA256 + b"\0")  # and no extension
            + _message(11, _sized(_sized(der)))
            + _message(14, b"")
        )
        writer.write(_framed(_HANDSHAKE, said))
        kind, exchange = await _record(reader)
        if kind != _HANDSHAKE:
            return  # an alert: it does not like us
        assert isinstance(self._leaf.key, rsa.RSAPrivateKey)
        premaster = self._leaf.key.decrypt(exchange[6:], padding.PKCS1v15())
        master = _prf(premaster, b"master secret", client_random + server_random, 48)
        block = _prf(master, b"key expansion", server_random + client_random, 40)
        theirs, ours = _Sealed(block[:16], block[32:36]), _Sealed(block[16:32], block[36:40])
        await _record(reader)  # ChangeCipherSpec
        finished = theirs.opened(*await _record(reader))
        seen = hashlib.sha256(hello + said + exchange + finished).digest()
        done = _message(20, _prf(master, b"server finished", seen, 12))
        writer.write(_framed(_CHANGE, b"\1") + ours.sealed(_HANDSHAKE, done))
        self.requests.append(theirs.opened(*await _record(reader)))
        writer.write(ours.sealed(_DATA, self._answer))
        await writer.drain()


class _Sealed:
    """One direction of AES-GCM (RFC 5288)."""

    def __init__(self, key: bytes, salt: bytes) -> None:
        self._cipher, self._salt, self._number = AESGCM(key), salt, 0

    def sealed(self, kind: int, data: bytes) -> bytes:
        number = self._number.to_bytes(8)
        cipher = self._cipher.encrypt(self._salt + number, data, self._also(kind, len(data)))
        return _framed(kind, number + cipher)

    def opened(self, kind: int, data: bytes) -> bytes:
        return self._cipher.decrypt(self._salt + data[:8], data[8:], self._also(kind, len(data) - 24))

    def _also(self, kind: int, size: int) -> bytes:
        self._number += 1
        return (self._number - 1).to_bytes(8) + bytes([kind]) + _VERSION + size.to_bytes(2)


async def _record(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readexactly(5)
    return head[0], await reader.readexactly(int.from_bytes(head[3:]))


def _framed(kind: int, data: bytes) -> bytes:
    return bytes([kind]) + _VERSION + len(data).to_bytes(2) + data


def _message(kind: int, data: bytes) -> bytes:
    return bytes([kind]) + _sized(data)


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(3) + data


def _prf(secret: bytes, label: bytes, seed: bytes, size: int) -> bytes:
    out, a = b"", label + seed
    while len(out) < size:
        a = hmac.digest(secret, a, "sha256")
        out += hmac.digest(secret, a + label + seed, "sha256")
    return out[:size]
