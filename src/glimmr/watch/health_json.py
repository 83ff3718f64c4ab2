"""How health is told as JSON: application/health+json (draft-inadarei-api-health-check-06)."""

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

from glimmr import __version__
from glimmr.watch.health import COMPONENTS, Health, worst

MEDIA_TYPE = "application/health+json"
_KINDS = {part.name: part.kind for part in COMPONENTS}


def told(found: Sequence[Health]) -> dict[str, Any]:
    """The whole answer. `observed`, `since` and `action` are ours, which the draft allows."""
    bad = [f"{one.component}: {one.why}" for one in found if one.why]
    return {
        "status": worst(found),
        "version": "1",
        "releaseId": __version__,
        "serviceId": "glimmr",
        "output": "; ".join(bad),
        "checks": {one.component: [_check(one)] for one in found},
    }


def text(value: Any) -> bytes:
    """The JSON itself."""
    return json.dumps(value, default=_plain, indent=2).encode()


def _check(one: Health) -> dict[str, Any]:
    check = {
        "componentId": one.component,
        "componentType": _KINDS[one.component],
        "status": one.status,
        "observedValue": round(one.seconds, 4),
        "observedUnit": "s",
        "time": one.looked_at,
        "since": one.since,
        "observed": one.observed,
    }
    return check | ({"output": one.why, "action": one.cure} if one.why else {})


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
