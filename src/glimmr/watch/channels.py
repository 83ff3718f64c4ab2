"""Where notices go: a webhook (JSON), and e-mail by SMTP. Nothing here tries twice: that is the lookout's."""

import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from glimmr.errors import FetchError, UsageError
from glimmr.net import Options
from glimmr.net.post import post_json
from glimmr.net.urls import host_of, normalise
from glimmr.settings import Settings

_SECONDS = 10.0
_SMTP_PORTS = {"smtp": 25, "smtps": 465}


class Channel(Protocol):
    """A way to tell a person. `where` may be shown: it holds no secret."""

    @property
    def name(self) -> str:
        """What the database calls it."""
        ...

    @property
    def where(self) -> str:
        """Where it goes."""
        ...

    def send(self, notice: Mapping[str, Any]) -> str | None:
        """Send it now, within some seconds. Returns why it could not be sent; None: it was."""
        ...


def channels(settings: Settings) -> list[Channel]:
    """The channels that the settings name. Raises UsageError naming the setting that cannot be used."""
    found: list[Channel] = []
    if settings.alert_webhook:
        found.append(Webhook(_web_address(settings.alert_webhook), Options.of(settings)))
    if settings.alert_mail:
        found.append(Mail.of(settings))
    return found


class Webhook:
    """POSTs each notice as JSON; its `text` alone is what chat systems show (Slack, Mattermost, Google Chat)."""

    name = "webhook"

    def __init__(self, url: str, options: Options) -> None:
        self._url, self._options = url, options
        self.where = host_of(url)  # the path of such addresses is often a secret

    def send(self, notice: Mapping[str, Any]) -> str | None:
        """As `Channel`."""
        return post_json(self._url, notice, self._options, seconds=_SECONDS)


@dataclass(frozen=True, slots=True)
class Mail:
    """Sends each notice to people by SMTP: `smtps` speaks TLS from the start, `smtp` changes to it where offered."""

    to: str
    sender: str
    host: str
    port: int
    user: str
    password: str
    tls: bool
    ca_bundle: str
    name: str = "mail"

    @classmethod
    def of(cls, settings: Settings) -> "Mail":
        """From the settings. Raises UsageError."""
        if not settings.smtp_url:
            raise UsageError(
                "GLIMMR_ALERT_MAIL needs a server for it: set GLIMMR_SMTP_URL=smtp://user:password@host:587"
            )
        try:
            parts = urlsplit(settings.smtp_url)
            port = parts.port or _SMTP_PORTS.get(parts.scheme)
        except ValueError:
            parts, port = urlsplit(""), None
        if port is None or not parts.hostname:
            raise UsageError("GLIMMR_SMTP_URL cannot be read: it looks like smtp://user:password@mail.example:587")
        if not settings.alert_mail_from.isprintable():
            raise UsageError("GLIMMR_ALERT_MAIL_FROM: write one e-mail address: glimmr@hospital.example")
        if not all("@" in one and one.isprintable() for one in settings.alert_mail.split(",")):
            raise UsageError("GLIMMR_ALERT_MAIL: write e-mail addresses, with commas between: ops@hospital.example")
        return cls(
            to=settings.alert_mail,
            sender=settings.alert_mail_from or settings.alert_mail.split(",")[0].strip(),
            host=parts.hostname,
            port=port,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            tls=parts.scheme == "smtps",
            ca_bundle=Options.of(settings).ca_bundle,
        )

    @property
    def where(self) -> str:
        """To whom, by which server."""
        return f"{self.to} by {self.host}:{self.port}"

    def send(self, notice: Mapping[str, Any]) -> str | None:
        """As `Channel`."""
        message = EmailMessage()
        message["Subject"] = f"[glimmr] {notice['state']}: {_one_line(notice['alert'])} {_one_line(notice['subject'])}"
        message["From"], message["To"] = self.sender, self.to
        message.set_content("\n\n".join(str(notice[part]) for part in ("text", "means", "act", "docs") if notice[part]))
        try:
            with self._connected() as server:
                server.send_message(message)
        except (OSError, UnicodeError, smtplib.SMTPException) as error:  # the second: no name of a host is so
            return f"{self.host}:{self.port}: {_said(error)}"
        return None

    def _connected(self) -> smtplib.SMTP:
        """Logged in where there is a login, which goes over TLS or nowhere."""
        context = ssl.create_default_context(cafile=self.ca_bundle or None)
        if self.tls:
            server: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=_SECONDS, context=context)
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=_SECONDS)
        try:
            server.ehlo()
            if not self.tls and server.has_extn("starttls"):
                server.starttls(context=context)
                server.ehlo()
            if self.user:
                _log_in(server, self.user, self.password)
        except BaseException:
            server.close()
            raise
        return server


def _web_address(url: str) -> str:
    try:
        return normalise(url)
    except FetchError:  # its text may be a secret
        raise UsageError(
            "GLIMMR_ALERT_WEBHOOK is not a web address: it looks like https://chat.example/hooks/…"
        ) from None


def _log_in(server: smtplib.SMTP, user: str, password: str) -> None:
    if not isinstance(server.sock, ssl.SSLSocket):
        raise smtplib.SMTPException("it offers no TLS, so the password is not sent: use smtps:// or another port")
    server.login(user, password)


def _one_line(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)[:100].strip()


def _said(error: Exception) -> str:
    code = getattr(error, "smtp_code", None)  # a server's answer may repeat the login: its number is enough
    return f"the server answered {code}" if code is not None else f"{type(error).__name__}: {error}"
