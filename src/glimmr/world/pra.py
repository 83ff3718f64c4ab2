"""The price-file API of Patient Rights Advocate, as far as its clients know it: sessions, search by state, a limit."""

import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from glimmr.world.build import File, World
from glimmr.world.hospitals import Hospital
from glimmr.world.http import Answer, Request, json_answer
from glimmr.world.known import pra_files, pra_lists

_NAMELESS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class PraRules:
    """What the real API is said to do, and which states it shall fail for."""

    requests: int = 100
    window_seconds: float = 180.0
    session_seconds: float = 1800.0
    failing_states: frozenset[str] = frozenset()
    empty_states: frozenset[str] = frozenset()
    nameless_state: str = ""  # one whose facilities are 200, and have no name


class Pra:
    """The API's state: sessions and the times of recent requests."""

    def __init__(self, world: World, rules: PraRules, clock: Callable[[], float] = time.monotonic) -> None:
        self.rules = rules
        self.refused = 0
        self._clock = clock
        self._sessions: dict[str, float] = {}
        self._recent: deque[float] = deque()
        self._by_state: dict[str, list[dict[str, Any]]] = {}
        for hospital in (one for one in world.hospitals if pra_lists(world, one)):
            facilities = self._by_state.setdefault(hospital.state, [])
            facilities.append(_facility(hospital, pra_files(world, hospital)))
            if hospital.number % 16 == 9:  # a record nobody can use, as the real API has them
                facilities.append(facilities[-1] | {"id": str(80000 + hospital.number), "name": None, "ccn": ""})

    def reset(self) -> None:
        """Forget all sessions and requests."""
        self._sessions.clear()
        self._recent.clear()
        self.refused = 0

    def answer(self, request: Request) -> Answer:
        """Answer one request; one over the limit gets 429 and is not counted."""
        now = self._clock()
        while self._recent and self._recent[0] <= now - self.rules.window_seconds:
            self._recent.popleft()
        left = self.rules.requests - len(self._recent)
        limit = {"ratelimit": f"limit={self.rules.requests}, remaining={max(0, left - 1)}"}
        if left <= 0:
            self.refused += 1
            wait = self._recent[0] + self.rules.window_seconds - now
            return json_answer({"message": "Too many requests"}, 429, **limit, **{"Retry-After": str(int(wait) + 1)})
        self._recent.append(now)
        answer = self._route(request, now)
        return Answer(answer.status, answer.body, answer.content_type, {**answer.headers, **limit})

    def _route(self, request: Request, now: float) -> Answer:
        if (request.method, request.path) == ("POST", "/user/session"):
            return self._login(request, now)
        if request.path not in ("/check", "/facility/search"):
            return json_answer({"message": "Not found"}, 404)
        started = self._sessions.get(request.headers.get("sessionid", ""))
        if started is None or now - started > self.rules.session_seconds:
            return json_answer({"message": "Session expired"}, 401)
        if request.path == "/check":
            return json_answer({"status": "ok"})
        return self._search(request.query.get("searchstate", ""), request.query.get("search", ""))

    def _login(self, request: Request, now: float) -> Answer:
        try:
            user = json.loads(request.body or b"{}").get("username")
        except (ValueError, AttributeError):
            user = None
        if not user:
            return json_answer({"message": "username is missing"}, 400)
        session = f"sim-{len(self._sessions) + 1}-{user}"
        self._sessions[session] = now
        return json_answer({"sessionid": session}, sessionid=session)

    def _search(self, state: str, words: str) -> Answer:
        if state in self.rules.failing_states:
            return json_answer({"message": "Internal error"}, 500)
        found = [] if state in self.rules.empty_states else self._by_state.get(state, [])
        if state == self.rules.nameless_state:
            found = [{"id": str(70000 + number), "name": None} for number in range(_NAMELESS)]
        if words:
            found = [facility for facility in found if words.lower() in str(facility["name"]).lower()]
        return json_answer(found or {})


def _facility(hospital: Hospital, files: tuple[File, ...]) -> dict[str, Any]:
    """One facility as the API tells it: numbers are texts."""
    return {
        "id": str(40000 + hospital.number),
        "name": hospital.name,
        "address": hospital.address,
        "city": hospital.city,
        "state": hospital.state,
        "zip": hospital.zip,
        "phone": hospital.phone,
        "beds": str(hospital.beds),
        "lat": str(hospital.lat),
        "long": str(hospital.lon),
        "ccn": hospital.ccn,
        "url": f"http://{hospital.host}/price-transparency",
        "files": [_file(hospital, place, file) for place, file in enumerate(files)],
    }


def _file(hospital: Hospital, place: int, file: File) -> dict[str, Any]:
    name = file.target.rsplit("/", 1)[-1]
    lies = hospital.number % 5 == 0
    return {
        "fileid": str(900000 + hospital.number * 10 + place),
        "filename": name,
        "filesuffix": name.rsplit(".", 1)[-1] if "." in name else "",
        "filetype": "Excel Spreadsheet" if lies else "JSON" if file.kind == "json" else "CSV",
        "retrieved": file.content.publisher.updated_on(file.content.shapes[0]),
        "size": str(10 * file.rows),  # of an older, smaller one: to know it, the file would have to be made
        "url": file.url,
        "pageurl": f"http://{hospital.host}/price-transparency",
        "converted": "0",
        "storage": "",
        "project": "hospital",
    }
