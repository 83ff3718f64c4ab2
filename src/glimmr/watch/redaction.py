"""What nobody may read in a log: logins and tokens of addresses, and the secrets among the settings."""

import os
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlsplit

from glimmr.net import redact
from glimmr.settings import Settings

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s'\"<>`]+")
_PAIR = re.compile(
    r"(?i)((?:password|passwd|passphrase|pwd|secret|token|(?:api|access|account|private)[_-]?key|authorization|credential)"
    r"s?['\"]?\s*[=:]\s*(?:(?:bearer|basic)\s+)?)(\"[^\"\n]*\"|'[^'\n]*'|['\"]?[^\s'\",;&)}\]]+)"
)
# What `_URL` or `_PAIR` cannot match without; a test holds them together.
_MARKS = ("://", "passw", "passp", "pwd", "secret", "token", "key", "authorization", "credential")
_SETTINGS = ("database_url", "redis_url", "store_url", "smtp_url", "alert_webhook", "pra_url")
_ENVIRONMENT = re.compile(r"(?i)(password|secret|token|_key|credentials?)$")
_LEAST, _LEAST_OF_ENVIRONMENT = 4, 8  # shorter ones would blot out words, and are no secret for anybody who tries


class Redactor:
    """Knows the secrets of this process's settings and environment, and what such things look like."""

    def __init__(self, settings: Settings, environment: Mapping[str, str] = os.environ) -> None:
        found = {
            value
            for name, value in environment.items()
            if _ENVIRONMENT.search(name) and len(value) >= _LEAST_OF_ENVIRONMENT
        }
        for url in (*(getattr(settings, name) for name in _SETTINGS), *_proxies(environment)):
            found |= _secrets_of(url)
        found |= {_path_of(settings.alert_webhook)}  # who knows it may post
        known = sorted((one for one in found if len(one) >= _LEAST), key=len, reverse=True)
        self._seen = None if any(map(_changes_in_a_line, known)) else (*_MARKS, *(one.lower() for one in known))
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def may_hold(self, line: str) -> bool:
        """Whether a line could have something that is to be hidden; a no is sure. It costs next to nothing."""
        if self._seen is None or not line.isascii():  # beyond ASCII there are other ways to write a letter
            return True
        low = line.lower()
        for mark in self._seen:  # noqa: SIM110 - `any` takes twice as long
            if mark in low:
                return True
        return False

    def text(self, text: str) -> str:
        """The text with `***` where a secret was."""
        told = text  # the cheap questions first: every text of every line comes through here
        if "://" in told:
            told = _URL.sub(lambda url: redact(url[0]), told)
        if "=" in told or ":" in told:
            told = _PAIR.sub(r"\1***", told)
        return self._known.sub("***", told) if self._known else told

    def value(self, value: Any) -> Any:
        """The same for every text in nested values."""
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, str):
            return self.text(str(value))
        if isinstance(value, Mapping):
            told: Mapping[Any, Any] = value
            return {key: self._of_key(str(key), one) for key, one in told.items()}
        if isinstance(value, list | tuple | set | frozenset):
            several: Sequence[Any] = list(value)
            return [self.value(one) for one in several]
        return self.text(str(value))

    def _of_key(self, key: str, value: Any) -> Any:
        return "***" if value and _names_a_secret(key) else self.value(value)


@lru_cache(maxsize=1000)
def _names_a_secret(key: str) -> bool:
    return _PAIR.search(f"{key}=x") is not None


def _changes_in_a_line(secret: str) -> bool:
    """Whether it may look otherwise where a line escapes it."""
    return not (secret.isascii() and secret.isprintable()) or any(mark in secret for mark in '\\"')


def _secrets_of(url: str) -> set[str]:
    """Its password, as written and as meant, and what stands for one in its query."""
    try:
        parts = urlsplit(url)
        password = parts.password or ""
    except ValueError:
        return set()
    shown = redact(url).partition("?")[2].split("&")
    hidden = (pair.partition("=")[2] for pair, told in zip(parts.query.split("&"), shown, strict=False) if pair != told)
    return {password, unquote(password), *hidden}


def _path_of(url: str) -> str:
    try:
        return urlsplit(url).path.strip("/")
    except ValueError:  # it is none, and may be a secret all the same
        return url


def _proxies(environment: Mapping[str, str]) -> list[str]:
    return [value for name, value in environment.items() if name.lower().endswith("_proxy")]
