"""Every alert as data: what it means, what to do, and when it fires; Prometheus's rules are made of the same list."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from glimmr.jobs.schedule import next_time
from glimmr.outcomes import MEANINGS, Outcome
from glimmr.watch.facts import Facts
from glimmr.watch.health import COMPONENTS

MOST_EMPTY = 0.5  # of the files read in a day
_LEAST_FILES = 20
_MOST_NAMED = 3
_FAILED = f'outcome=~"{"|".join(name for name, meaning in MEANINGS.items() if meaning.success is False)}"'
_COUNTED = f'outcome=~"{"|".join(name for name, meaning in MEANINGS.items() if meaning.success is not None)}"'
_PARSED, _EMPTY = 'step="parse"', 'step="parse",outcome!~"ok|incomplete"'
_POISON, _SHRUNK = 'outcome="poison"', 'step="publish",outcome="incomplete"'
_COUNTS = "|".join(part.name for part in COMPONENTS if part.counts)
# A gauge of the database is the same from every process that is scraped, so it is never added up over them.
_DUE = 'sum(max by (step) (glimmr_jobs_due{step!="upkeep"}) unless on (step) glimmr_step_paused == 1)'


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something a person should look at. `condition` gives what is wrong, by what it is about; nothing: all is well.

    It fires when that holds for `for_seconds`, and clears when it does no longer. `promql` says the same to Prometheus.
    `local`: every machine of a fleet answers for itself.
    """

    name: str
    means: str
    act: str
    condition: Callable[[Facts], Mapping[str, str]]
    promql: str
    severity: Literal["critical", "warning"]
    for_seconds: float = 0.0
    local: bool = False


def _still(facts: Facts) -> Mapping[str, str]:
    if not facts.still:
        return {}
    first = facts.still[0]
    minutes = (facts.now - first.since).total_seconds() / 60
    others = f" and {len(facts.still) - 1:,} more" if len(facts.still) > 1 else ""
    return {"": f"{first.step} job {first.id} has not got on for {minutes:.0f} minutes{others}"}


def _failing(ended: Counter[Outcome], least: int, share: float, over: str) -> Mapping[str, str]:
    failed, all_of_them = _rate(ended)
    if all_of_them < least or failed <= share * all_of_them:
        return {}
    worst = ", ".join(f"{count:,} {outcome}" for outcome, count in ended.most_common() if _is_failure(outcome))
    return {"": f"{failed:,} of {all_of_them:,} jobs ({failed / all_of_them:.2%}) failed in {over}: {worst}"}


def _rate(ended: Counter[Outcome]) -> tuple[int, int]:
    failed = sum(count for outcome, count in ended.items() if _is_failure(outcome))
    return failed, sum(count for outcome, count in ended.items() if MEANINGS[outcome].success is not None)


def _is_failure(outcome: Outcome) -> bool:
    return MEANINGS[outcome].success is False


def _empty(facts: Facts) -> Mapping[str, str]:
    """What is called ok without a price is a bug, however few; what has none in truth is one where it is most."""
    read, empty = (sum(row[what] for row in facts.read_today) for what in ("files", "empty"))
    untrue = sum(row["empty"] for row in facts.read_today if row["outcome"] == Outcome.OK)
    if untrue:
        return {"": f"{untrue:,} of the {read:,} files read in a day are called ok and gave no price: a bug of ours"}
    too_many = read >= _LEAST_FILES and empty > MOST_EMPTY * read
    return {"": f"{empty:,} of the {read:,} files read in a day gave no price"} if too_many else {}


def _backlog(facts: Facts) -> Mapping[str, str]:
    waiting = facts.due.total() - facts.due["upkeep"]
    by_step = ", ".join(f"{count:,} {step}" for step, count in facts.due.most_common())
    return {"": f"{waiting:,} jobs that could run wait for a free worker: {by_step}"} if waiting > 1000 else {}


def _unserved(facts: Facts) -> Mapping[str, str]:
    nobody = {step: count for step, count in facts.due.items() if step not in facts.served and step != "upkeep"}
    told = ", ".join(f"{count:,} {step}" for step, count in sorted(nobody.items()))
    return {"": f"jobs are ready, and no worker lives that would do them: {told}"} if nobody else {}


def _slow(seconds: Sequence[float], most: float, what: str) -> Mapping[str, str]:
    p95 = sorted(seconds)[math.ceil(0.95 * len(seconds)) - 1] if seconds else 0.0
    told = f"{what}: 95 % took up to {p95 / 60:.1f} minutes in the last hour ({len(seconds):,} of them)"
    return {"": told} if p95 > most else {}


def _overdue(facts: Facts) -> Mapping[str, str]:
    """Two times of the schedule came and went since the last scan."""
    if not facts.scan_schedule or facts.last_scan_at is None:
        return {}
    second = next_time(facts.scan_schedule, next_time(facts.scan_schedule, facts.last_scan_at))
    told = f"no scan has ended well since {facts.last_scan_at:%Y-%m-%d %H:%M} UTC, and two were due since"
    return {"": told} if facts.now > second else {}


def _disks(facts: Facts) -> Mapping[str, str]:
    low = {folder: free for folder, free in facts.disks.items() if free < 0.1}
    return {folder: f"{free:.1%} of the disk of {folder} is free" for folder, free in low.items()}


def _named(ids: Sequence[int], what: str) -> Mapping[str, str]:
    jobs = f"{', '.join(map(str, ids[:_MOST_NAMED]))}{', …' if len(ids) > _MOST_NAMED else ''}"
    return {"": f"{what}: {len(ids):,} (job {jobs})"} if ids else {}


def _ended(labels: str, window: str) -> str:
    """How many jobs ended so, over all processes. A series begins with its first job, which `increase` does not see."""
    counter = f"glimmr_jobs_ended_total{{{labels}}}"
    begun = f"({counter} unless last_over_time({counter}[{window}] offset {window}))"
    return f"sum({begun} or increase({counter}[{window}]))"


def _share(failed: str, counted: str, window: str, *, share: float, least: int) -> str:
    all_of_them = _ended(counted, window)
    return f"{_ended(failed, window)} / {all_of_them} > {share} and {all_of_them} >= {least}"


ALERTS: tuple[Alert, ...] = (
    Alert(
        name="component_down",
        means="a part that work needs fails its check (docs/reference/health.md); jobs that need it wait",
        act="`glimmr health` says what it answers, and what to do; nothing is lost, work goes on by itself",
        condition=lambda facts: {part: f"{part} is down: {why}" for part, why in facts.down.items()},
        promql=f'glimmr_component_up{{component!~"{_COUNTS}"}} == 0',
        severity="critical",
        for_seconds=45.0,
    ),
    Alert(
        name="no_worker",
        means="jobs are ready, and no living worker does their step; nothing gets on",
        act="start `glimmr worker` or `glimmr serve`; where one runs, its log says why it does not beat",
        condition=_unserved,
        promql=f"(max(glimmr_workers) == 0 and on () {_DUE} > 0) or absent(glimmr_build_info)",
        severity="critical",
        for_seconds=45.0,
    ),
    Alert(
        name="failure_rate",
        means="more than 5 % of the jobs that ended in 15 minutes (20 or more) failed by our own fault",
        act="`glimmr jobs --state dead` says of what, `glimmr logs ID` why; mend it, then `glimmr retry --outcome …`",
        condition=lambda facts: _failing(facts.ended_lately, 20, 0.05, "15 minutes"),
        promql=_share(_FAILED, _COUNTED, "15m", share=0.05, least=20),
        severity="critical",
    ),
    Alert(
        name="success_low",
        means="less than 99.9 % of the jobs of a day (1,000 or more) succeeded; publishers' faults do not count",
        act="`glimmr jobs --state dead` says of what, `glimmr logs ID` why; mend it, then `glimmr retry --outcome …`",
        condition=lambda facts: _failing(facts.ended_today, 1000, 0.001, "a day"),
        promql=_share(_FAILED, _COUNTED, "1d", share=0.001, least=1000),
        severity="warning",
    ),
    Alert(
        name="no_prices",
        means="most files read in a day (20 or more) gave no price, or one is called ok without any: a bug of ours",
        act="`glimmr status` names them; `glimmr parse` and `validate` of an address say what it gives",
        condition=_empty,
        promql=_share(_EMPTY, _PARSED, "1d", share=MOST_EMPTY, least=_LEAST_FILES),
        severity="warning",
    ),
    Alert(
        name="job_stuck",
        means="a running job has not got on for more than 30 minutes, though its worker lives",
        act="`glimmr logs ID` says what it did last; `glimmr cancel ID` and `glimmr retry ID` begin it anew",
        condition=_still,
        promql="max(glimmr_jobs_still_seconds) > 1800",
        severity="warning",
    ),
    Alert(
        name="backlog",
        means="more than 1,000 jobs that could run wait for a free worker",
        act="start more workers, or raise GLIMMR_DOWNLOADS or GLIMMR_PARSES; after a large scan it passes by itself",
        condition=_backlog,
        promql=f"{_DUE} > 1000",
        severity="warning",
        for_seconds=45.0,
    ),
    Alert(
        name="file_slow",
        means="from bytes to published prices, one file of twenty took longer than 30 minutes in the last hour",
        act="`glimmr status` shows which step waits: more workers, a larger GLIMMR_PARSES, faster disks",
        condition=lambda facts: _slow(facts.file_seconds, 1800.0, "files, from their bytes to the price table"),
        promql="histogram_quantile(0.95, sum by (le) (rate(glimmr_file_seconds_bucket[1h]))) > 1800",
        severity="warning",
    ),
    Alert(
        name="recovery_slow",
        means="of the jobs whose worker died, one of twenty ran again only after more than 5 minutes",
        act="start more workers, or find out why they die: `glimmr jobs`, their logs, `dmesg` (memory)",
        condition=lambda facts: _slow(facts.recovery_seconds, 300.0, "jobs of dead workers, until they ran again"),
        promql="histogram_quantile(0.95, sum by (le) (rate(glimmr_recovery_seconds_bucket[1h]))) > 300",
        severity="warning",
    ),
    Alert(
        name="scan_overdue",
        means="two times of GLIMMR_SCAN_SCHEDULE came and went, and no scan ended well: new addresses are not found",
        act="`glimmr jobs --step scan` says why; is a `glimmr serve` or `worker` running, is the source reachable?",
        condition=_overdue,
        promql="max(glimmr_last_scan_seconds) > 2 * 604800",
        severity="warning",
    ),
    Alert(
        name="disk_low",
        means="less than 10 % of the disk of data folder or scratch is free; below GLIMMR_MIN_FREE_BYTES work stops",
        act="free some, enlarge it, name another GLIMMR_SCRATCH, or keep fewer bytes with GLIMMR_KEEP_BYTES",
        condition=_disks,
        promql="glimmr_disk_free_ratio < 0.1",
        severity="warning",
        for_seconds=45.0,
        local=True,
    ),
    Alert(
        name="poison",
        means="a job's worker died under it more than GLIMMR_MAX_STALLS times in the last day; it is left alone",
        act="`glimmr logs ID`; mostly memory: raise the machine's, or lower GLIMMR_PARSES; then `glimmr retry ID`",
        condition=lambda facts: _named(facts.poison, "jobs that took their workers along, and are left alone"),
        promql=f"{_ended(_POISON, '1d')} > 0",
        severity="warning",
    ),
    Alert(
        name="shrink_suspect",
        means="a newer file has so many prices fewer (GLIMMR_SHRINK_PERCENT) that the older one stays, for now",
        act="`glimmr logs ID` names the file: look at it. What the address gives a second time is published by itself",
        condition=lambda facts: _named(facts.shrunk, "newer files that are not trusted, while what is current stays"),
        promql=f"{_ended(_SHRUNK, '1d')} > 0",
        severity="warning",
    ),
)


def rule_name(alert: Alert) -> str:
    """The alert's name in Prometheus: `GlimmrJobStuck`."""
    return "Glimmr" + "".join(word.capitalize() for word in alert.name.split("_"))
