"""The only way to the web: asks one address at a time, politely and safely, and says what went wrong in our words."""

from glimmr.net.answer import Answer, Reply
from glimmr.net.client import Client
from glimmr.net.options import Limits, Options
from glimmr.net.shares import direct
from glimmr.net.urls import normalise, redact
from glimmr.net.vendors import Address, classify

__all__ = ["Address", "Answer", "Client", "Limits", "Options", "Reply", "classify", "direct", "normalise", "redact"]
