"""A mail server on loopback: real SMTP (RFC 5321), TLS from the start or by STARTTLS, and logins (RFC 4954)."""

import asyncio
import base64
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_ASKED = {"MAIL", "RCPT", "DATA"}


class _Dialogue:
    """What one client is answered. `login` (`user password`) is needed before a mail, and is taken over TLS only."""

    def __init__(
        self, mails: list[str], *, answers: str, tls: ssl.SSLContext | None, from_the_start: bool, login: str
    ) -> None:
        self._mails, self._answers, self._tls = mails, answers, tls
        self._secret, self._known = from_the_start, not login
        self._login = base64.b64encode(("\0" + login.replace(" ", "\0")).encode()).decode()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.test\r\n")
        verb = ""
        while verb != "QUIT" and (line := (await reader.readline()).decode().strip()):
            verb, _, rest = line.partition(" ")
            if verb.upper() == "DATA" and self._known:
                writer.write(b"354 go on\r\n")
                self._mails.append((await reader.readuntil(b"\r\n.\r\n")).decode())
            writer.write(f"{self._answer(verb.upper(), rest)}\r\n".encode())
            await writer.drain()
            if verb.upper() == "STARTTLS" and self._tls:
                await writer.start_tls(self._tls)
                self._secret = True
        writer.close()

    def _answer(self, verb: str, rest: str) -> str:
        offered = ["STARTTLS"] if self._tls and not self._secret else []
        offered += ["AUTH PLAIN"] if self._secret else []
        if verb == "EHLO" and offered:
            return "\r\n".join([*(f"250-{one}" for one in ("mail.test", *offered[:-1])), f"250 {offered[-1]}"])
        if verb == "AUTH":
            self._known = self._secret and rest == f"PLAIN {self._login}"
            return "235 welcome" if self._known else f"535 it is not {rest}"
        if verb in _ASKED and not self._known:
            return "530 log in first"
        return {"QUIT": "221 bye", "STARTTLS": "220 go on"}.get(verb, self._answers)


@contextmanager
def mail_server(
    *, answers: str = "250 OK", tls: ssl.SSLContext | None = None, from_the_start: bool = False, login: str = ""
) -> Iterator[tuple[int, list[str]]]:
    """Its port, and the mails it took."""
    mails: list[str] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        dialogue = _Dialogue(mails, answers=answers, tls=tls, from_the_start=from_the_start, login=login)
        try:
            await dialogue.talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            writer.close()  # the client went away: it did not like our certificate

    with socket.create_server(("127.0.0.1", 0)) as listening:
        loop = asyncio.new_event_loop()
        ready = threading.Event()

        async def serve() -> None:
            server = await asyncio.start_server(talk, sock=listening, ssl=tls if from_the_start else None)
            ready.set()
            async with server:
                await server.serve_forever()

        task = loop.create_task(serve())

        def run() -> None:
            try:
                loop.run_until_complete(task)
            except asyncio.CancelledError:
                loop.run_until_complete(loop.shutdown_asyncgens())

        thread = threading.Thread(target=run)
        thread.start()
        ready.wait(10)
        try:
            yield listening.getsockname()[1], mails
        finally:
            loop.call_soon_threadsafe(task.cancel)
            thread.join(10)
            loop.close()
