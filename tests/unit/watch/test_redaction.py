"""What is looked through for secrets, and what need not be."""

import json
import time

import pytest

from glimmr.settings import load
from glimmr.watch.redaction import Redactor

_NAMES = ["password", "PASSWD", "pwd", "Secret", "tokens", "apikey", "api-key", "API_KEY", "authorization"]
_OTHERS = ["credentials", "passphrase", "aws_secret_access_key", "AccountKey", "private-key"]


@pytest.mark.parametrize("name", [*_NAMES, *_OTHERS])
def test_whatever_is_hidden_is_in_a_line_that_may_hold_something(name: str) -> None:
    redactor = Redactor(load(), {})
    for line in (f"{name}=abc", f'{{"{name}": "abc"}}', f"{name} : Bearer abc", f"{name}: 'of abc'", f"{name}='abc"):
        assert "abc" not in redactor.text(line)
        assert redactor.may_hold(line)
    assert redactor.may_hold("see S3://key:abc@host/path")
    assert not redactor.may_hold('{"job": 12, "text": "download 12 finished: ok (h.example)"}')


@pytest.mark.parametrize("secret", ["plainSecret1", 'with"quote-1', "back\\slash-1", "tab\tinside-1", "größer-als-1"])
def test_a_secret_that_a_line_would_escape_is_hidden_too(secret: str) -> None:
    redactor = Redactor(load(), {"MY_TOKEN": secret})
    assert redactor.may_hold(json.dumps({"text": f"said {secret}"}))
    assert redactor.value({"text": f"said {secret}"}) == {"text": "said ***"}


def test_a_word_of_any_length_costs_no_time() -> None:
    began = time.process_time()
    assert Redactor(load(), {}).text("a" * 200_000 + " s3://key:abc@host/") == "a" * 200_000 + " s3://***@host/"
    assert time.process_time() - began < 2


def test_a_webhook_that_is_no_address_is_hidden_as_it_is() -> None:
    assert Redactor(load(alert_webhook="http://[/hooks/abc"), {}).text("said http://[/hooks/abc") == "said ***"
