"""Whether each part is well: all are asked at once, each within its own time, so that one that hangs hides no other."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from glimmr import events
from glimmr.errors import GlimmrError
from glimmr.watch.question import Question

_LOG = logging.getLogger(__name__)
_SIGN_IN_SECONDS = 2.0


class Status(StrEnum):
    """How a component is, in the words of draft-inadarei-api-health-check."""

    PASS = "pass"  # noqa: S105 - the draft's word
    WARN = "warn"
    FAIL = "fail"


_WORST_LAST = (Status.PASS, Status.WARN, Status.FAIL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A part that is looked at. `essential`: without it this process can do no work. `needs`: whom it is asked by.

    `counts`: it is no part that could be down, but what came of the work; alerts of their own judge that.
    """

    name: str
    kind: str  # the draft's componentType
    text: str  # when it is well
    cure: str  # what to do when it is not
    essential: bool = False
    needs: str = ""
    counts: bool = False


COMPONENTS = (
    Component(
        name="database", kind="datastore", essential=True,
        text="it answers, takes writes and has connections left",
        cure="start it, or mend GLIMMR_DATABASE_URL; work waits, and goes on by itself when it is back",
    ),
    Component(
        name="redis", kind="datastore",
        text="it answers, is a master, takes messages, and will not throw them away",
        cure="start it, or mend GLIMMR_REDIS_URL; workers look for jobs in the database meanwhile",
    ),
    Component(
        name="blobs", kind="datastore", essential=True,
        text="a probe can be written, read and deleted where bytes are kept",
        cure="mend the store or its rights (GLIMMR_STORE_URL, or `blobs` in the data folder); work waits for it",
    ),
    Component(
        name="lake", kind="datastore", essential=True,
        text="the four tables of the price table are there, and their shelf takes a probe",
        cure="mend the store or its rights; of a lost table `glimmr doctor` says more",
    ),
    Component(
        name="engine", kind="component", needs="database",
        text="no job that is due waits for more than half a minute while a worker has a free slot for it",
        cure="look at standard error of the workers; start them again if it lasts",
    ),
    Component(
        name="workers", kind="component", needs="database", counts=True,
        text="every worker that signed in still beats, and there is one when jobs are due",
        cure="`glimmr jobs --state running` says what the silent one had; its jobs run again by themselves."
        " With no worker at all, start `glimmr serve` or `worker`",
    ),
    Component(
        name="queues", kind="component", needs="database", counts=True,
        text="no step is paused with jobs waiting, and fewer than 1,000 jobs that are due wait",
        cure="`glimmr resume STEP`; or more workers, or more slots (GLIMMR_DOWNLOADS, GLIMMR_PARSES)",
    ),
    Component(
        name="jobs", kind="component", needs="database", counts=True,
        text="jobs end without a fault of ours; a publisher's is counted apart and is none",
        cure="`glimmr jobs --state dead`, `glimmr job ID`; when it is mended, `glimmr retry --outcome …`",
    ),
    Component(
        name="files", kind="component", needs="database", counts=True,
        text="what is read gives prices, however well its job ended",
        cure="`glimmr status` names them; `glimmr parse` and `validate` of an address say what it gives",
    ),
    Component(
        name="disk", kind="system", essential=True,
        text="data folder and scratch take files and have space (GLIMMR_MIN_FREE_BYTES, and a tenth of the disk)",
        cure="free some space, or name another folder (GLIMMR_DATA, GLIMMR_SCRATCH)",
    ),
    Component(
        name="clock", kind="system", needs="database",
        text="this machine's clock and the database's agree, and neither was set back",
        cure="set the clock (NTP); leases do not depend on it, but schedules and retries do",
    ),
)  # fmt: skip
"""Everything that is looked at, in the order it is told."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look found. `cure` where it is better known than the component's own."""

    status: Status = Status.PASS
    why: str = ""
    observed: dict[str, Any] = field(default_factory=dict[str, Any])
    cure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How a component is. `since` is when whoever looks first saw it so; `seconds` how long the look took."""

    component: str
    status: Status
    why: str
    cure: str
    observed: dict[str, Any]
    seconds: float
    since: datetime
    looked_at: datetime


def worst(found: Sequence[Health]) -> Status:
    """The status of all together."""
    return max((one.status for one in found), key=_WORST_LAST.index, default=Status.PASS)


def down(found: Sequence[Health]) -> dict[str, str]:
    """The parts that are broken, and why."""
    counts = {part.name for part in COMPONENTS if part.counts}
    return {one.component: one.why for one in found if one.status is Status.FAIL and one.component not in counts}


class Checkup:
    """Asks every component it is given a question about. `hide` takes out of a text what nobody may see.

    Any thread may look: one at a time does, and what another has just found (`fresh_seconds`) is not asked again.
    `latest` waits for nobody.
    """

    def __init__(
        self,
        asked: Mapping[str, Callable[[], Seen]],
        *,
        limit_seconds: float = 5.0,
        fresh_seconds: float = 0.0,
        hide: Callable[[str], str] = str,
    ) -> None:
        self._limit_seconds, self._fresh_seconds, self._hide = limit_seconds, fresh_seconds, hide
        self._lock = threading.Lock()
        self._looked_at: dict[str, float] = {}
        self._questions = {
            part.name: (part, Question(f"health {part.name}", asked[part.name]))
            for part in COMPONENTS
            if part.name in asked
        }
        self.latest: tuple[Health, ...] = ()

    def look(self, *, only: Collection[str] | None = None) -> tuple[Health, ...]:
        """How all of them are, or only those; takes no longer than the limit, once nobody else is looking."""
        with self._lock:
            wanted = [name for name in self._questions if only is None or name in only]
            known = {one.component: one for one in self.latest}
            known |= self._ask([name for name in wanted if not self._is_fresh(name)], known)
            self.latest = tuple(known[name] for name in self._questions if name in known)
            return tuple(known[name] for name in wanted)

    def _is_fresh(self, name: str) -> bool:
        return time.monotonic() - self._looked_at.get(name, float("-inf")) < self._fresh_seconds

    def _ask(self, names: Sequence[str], before: Mapping[str, Health]) -> dict[str, Health]:
        began = time.monotonic()
        asked = [self._questions[name] for name in names]
        for _, question in asked:
            question.begin()
        found: dict[str, Health] = {}
        for part, question in asked:
            left_seconds = self._limit_seconds - (time.monotonic() - began)
            needed = found.get(part.needs) or before.get(part.needs)
            if needed is not None and needed.status is Status.FAIL:
                left_seconds, seen, seconds = 0.0, _unknown(part.needs), 0.0
            else:
                seen, seconds = _answer(question, left_seconds)
            found[part.name] = self._health(part, seen, seconds, before.get(part.name))
            self._looked_at[part.name] = time.monotonic()
        return found

    def _health(self, part: Component, seen: Seen, seconds: float, before: Health | None) -> Health:
        now = datetime.now(UTC)
        return Health(
            component=part.name,
            status=seen.status,
            why=self._hide(seen.why),
            cure="" if seen.status is Status.PASS else seen.cure or part.cure,
            observed=self._hidden(seen.observed),
            seconds=seconds,
            since=before.since if before is not None and before.status is seen.status else now,
            looked_at=now,
        )

    def _hidden(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._hide(value)
        if isinstance(value, dict):
            return {name: self._hidden(one) for name, one in value.items()}
        return [self._hidden(one) for one in value] if isinstance(value, list | tuple) else value


class Round(threading.Thread):
    """Looks for ever, every so often, and says in the log what changed; `close` ends it.

    The first look waits a little for the worker of this process to sign in: it would be told to be missing.
    """

    def __init__(self, checkup: Checkup, every_seconds: float) -> None:
        super().__init__(name="health", daemon=True)
        self._checkup, self._every_seconds = checkup, every_seconds
        self._closing, self._at_work = threading.Event(), threading.Event()
        self._unlisten = events.listen(lambda *_: self._at_work.set(), [events.WORKER_STARTED])

    def run(self) -> None:
        """Look until closed."""
        self._at_work.wait(_SIGN_IN_SECONDS)
        while not self._closing.is_set():
            before = {one.component: one.status for one in self._checkup.latest}
            for one in self._checkup.look():
                if one.status is not before.get(one.component, Status.PASS):
                    _LOG.warning("%s: %s%s", one.component, one.status, f": {one.why}" if one.why else "")
            self._closing.wait(self._every_seconds)

    def close(self) -> None:
        """Look no more; a look that hangs is left alone."""
        self._unlisten()
        self._closing.set()
        self._at_work.set()


def _answer(question: Question[Seen], seconds: float) -> tuple[Seen, float]:
    try:
        answer = question.answer(seconds)
    except GlimmrError as fault:
        return Seen(Status.FAIL, str(fault)), question.waited_seconds
    except Exception as bug:  # noqa: BLE001 - a look that fails in a way nobody foresaw is no proof of health
        return Seen(Status.FAIL, f"it could not be looked at: {bug!r}"), question.waited_seconds
    if answer is None:
        waited_seconds = question.waited_seconds
        return Seen(Status.FAIL, f"it has not answered for {waited_seconds:.1f} s"), waited_seconds
    return answer.said, answer.seconds


def _unknown(needed: str) -> Seen:
    return Seen(Status.WARN, f"not known while the {needed} is down", cure=f"mend the {needed} first")


def with_status(seen: Seen, status: Status, why: str, cure: str = "") -> Seen:
    """The same, and worse: the first reason stays in front, and the worst status stays."""
    status = max(seen.status, status, key=_WORST_LAST.index)
    return replace(seen, status=status, why="; ".join(filter(None, (seen.why, why))), cure=seen.cure or cure)
