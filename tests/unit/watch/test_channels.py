"""Notices over real sockets: a webhook of the operator's own network, and mail."""

import ssl
from pathlib import Path

import pytest

from glimmr.errors import UsageError
from glimmr.settings import load
from glimmr.watch.channels import channels
from glimmr.watch.notice import trial
from tests.support.authority import Issued, root
from tests.support.http_server import HttpServer, answer, redirect
from tests.support.mail_server import mail_server


def sent(monkeypatch: pytest.MonkeyPatch, **given: str) -> str | None:
    for name, value in given.items():
        monkeypatch.setenv(f"GLIMMR_{name.upper()}", value)
    (channel,) = channels(load())
    assert "SECRET" not in channel.where
    return channel.send(trial())


def test_a_webhook_may_be_an_address_that_is_not_public(monkeypatch: pytest.MonkeyPatch) -> None:
    with HttpServer({"/hook": answer(b"ok")}) as server:
        assert sent(monkeypatch, alert_webhook=server.url("/hook")) is None
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        (answer(b"SECRET", "403 No"), "127.0.0.1 answered HTTP 403"),
        (redirect("/elsewhere"), "127.0.0.1 answered HTTP 302"),
    ],
)
def test_what_a_webhook_refuses_or_moves_is_said_without_its_secret(
    monkeypatch: pytest.MonkeyPatch, script: object, fault: str
) -> None:
    with HttpServer({"/SECRET": script, "/elsewhere": answer(b"")}) as server:  # type: ignore[dict-item]
        assert sent(monkeypatch, alert_webhook=server.url("/SECRET")) == fault
        assert len(server.requests) == 1


def test_a_mail_is_taken_by_the_server_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with mail_server() as (port, mails):
        to = {"alert_mail": "ops@hospital.example, night@hospital.example", "smtp_url": f"smtp://127.0.0.1:{port}"}
        assert sent(monkeypatch, **to) is None
    (mail,) = mails
    assert "Subject: [glimmr] test: test" in mail
    assert "To: ops@hospital.example, night@hospital.example" in mail
    assert "alerts arrive here, and nothing is wrong" in " ".join(mail.split())


def test_a_password_is_sent_over_tls_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    with mail_server() as (port, mails):
        fault = sent(monkeypatch, alert_mail="ops@h.example", smtp_url=f"smtp://me:SECRET@127.0.0.1:{port}")
    assert fault is not None
    assert "it offers no TLS, so the password is not sent" in fault
    assert mails == []


def test_a_server_that_refuses_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with mail_server(answers="550 SECRET") as (port, _mails):
        fault = sent(monkeypatch, alert_mail="ops@h.example", smtp_url=f"smtp://127.0.0.1:{port}")
    assert fault == f"127.0.0.1:{port}: the server answered 550"


def test_a_mail_server_whose_name_nobody_can_look_up_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    fault = sent(monkeypatch, alert_mail="ops@h.example", smtp_url="smtp://me:SECRET@mail..example")
    assert fault is not None
    assert fault.startswith("mail..example:25: UnicodeError")


def certified(authority: Issued, folder: Path) -> ssl.SSLContext:
    """A server's side of TLS, by the name of this machine."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.leaf("localhost").write(folder))
    return context


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Issued:
    """An authority that the settings name."""
    authority = root("Glimmr Test Root")
    (tmp_path / "root.pem").write_bytes(authority.pem)
    monkeypatch.setenv("GLIMMR_CA_BUNDLE", str(tmp_path / "root.pem"))
    return authority


@pytest.mark.parametrize(("scheme", "from_the_start"), [("smtp", False), ("smtps", True)])
def test_a_mail_is_sent_by_who_has_logged_in_over_tls(
    monkeypatch: pytest.MonkeyPatch, trusted: Issued, tmp_path: Path, scheme: str, from_the_start: bool
) -> None:
    tls = certified(trusted, tmp_path)
    with mail_server(tls=tls, from_the_start=from_the_start, login="me SE:CRET") as (port, mails):
        url = f"{scheme}://me:SE%3ACRET@localhost:{port}"
        assert sent(monkeypatch, alert_mail="ops@h.example", smtp_url=url) is None
        assert len(mails) == 1
        fault = sent(monkeypatch, alert_mail="ops@h.example", smtp_url=url.replace("SE%3A", "SECRET"))
        assert fault == f"localhost:{port}: the server answered 535"
        assert len(mails) == 1


@pytest.mark.parametrize(("scheme", "from_the_start"), [("smtp", False), ("smtps", True)])
def test_a_mail_server_that_nobody_trusts_hears_neither_password_nor_notice(
    monkeypatch: pytest.MonkeyPatch, trusted: Issued, tmp_path: Path, scheme: str, from_the_start: bool
) -> None:
    tls = certified(root("Nobody's Root"), tmp_path)
    with mail_server(tls=tls, from_the_start=from_the_start) as (port, mails):
        fault = sent(monkeypatch, alert_mail="ops@h.example", smtp_url=f"{scheme}://me:SECRET@localhost:{port}")
    assert fault is not None
    assert "certificate verify failed" in fault
    assert "SECRET" not in fault
    assert mails == []


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"alert_webhook": "ftp://SECRET"}, "GLIMMR_ALERT_WEBHOOK"),
        ({"alert_webhook": "http://SECRET@["}, "GLIMMR_ALERT_WEBHOOK"),
        ({"alert_mail": "ops@h.example"}, "GLIMMR_ALERT_MAIL needs a server for it: set GLIMMR_SMTP_URL="),
        ({"alert_mail": "ops@h.example", "smtp_url": "smtp://me:SECRET@["}, "GLIMMR_SMTP_URL"),
        ({"alert_mail": "ops@h.example\nBcc: x@y.example", "smtp_url": "smtp://h"}, "GLIMMR_ALERT_MAIL"),
        ({"alert_mail": "ops@h.example", "alert_mail_from": "a\nb", "smtp_url": "smtp://h"}, "GLIMMR_ALERT_MAIL_FROM"),
        ({"alert_mail": "ops@h.example", "smtp_url": "smtp://h:SECRET"}, "GLIMMR_SMTP_URL"),
        ({"alert_mail": "ops", "smtp_url": "smtp://h"}, "GLIMMR_ALERT_MAIL"),
    ],
)
def test_a_channel_that_cannot_be_is_refused_by_its_setting(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], named: str
) -> None:
    with pytest.raises(UsageError, match=named) as caught:
        sent(monkeypatch, **given)
    assert "SECRET" not in str(caught.value)


def test_nobody_is_told_where_nothing_is_set(tmp_path: Path) -> None:
    assert channels(load(data=tmp_path)) == []
