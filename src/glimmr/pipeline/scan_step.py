"""Step `scan`: ask one source about one place; an address that is due becomes a download, a site a scan of its own."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from glimmr.jobs import ledger
from glimmr.jobs.job import Ending, Job, NewJob, Result, Tell
from glimmr.model import Known, Listed
from glimmr.outcomes import Outcome
from glimmr.pipeline.download_step import download_job, reconcile_job
from glimmr.pipeline.meant import meant
from glimmr.pipeline.moved import give_way
from glimmr.pipeline.parts import Parts, utcnow
from glimmr.pipeline.run_web import RunWeb
from glimmr.pipeline.scan_job import scan_job
from glimmr.scan import Scanned, scan
from glimmr.scan.match import Match, claim_of, match
from glimmr.scan.merge import Merged, candidates_of, merged, site_of, sites_named, words_of
from glimmr.scan.source import EVERYWHERE
from glimmr.stores import catalog, hospital_words, hospitals, sightings
from glimmr.stores.database import Connection
from glimmr.stores.sightings import Seen

_BY_STATE = ("cms_roster", "pra")  # the sources that are asked about states, who says who there is first
_SITES = "cms_hpt"  # the source that is asked about the sites that others name


def questions(sources: Collection[str], places: Sequence[str], *, everywhere: bool) -> list[tuple[str, str]]:
    """Which of the `sources` are asked about states, and about which: one question about all where that can be put."""
    asked: list[tuple[str, str]] = []
    for source in (one for one in _BY_STATE if one in sources):
        whole = everywhere and source == _BY_STATE[0]
        asked += [(source, place) for place in ((EVERYWHERE,) if whole else places)]
    return asked


class ScanStep:
    """Room 1 as a step."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def run(self, job: Job, tell: Tell) -> Result:
        """Ask, remember what was said, and put a download for every address that is due."""
        name, place = job.args["source"], job.args["place"]
        granted: list[int] = []  # once, however often the transaction is repeated
        web = RunWeb(self._parts.client, tell, self._parts.settings.scan_deadline_seconds)
        scanned = await asyncio.to_thread(scan, name, self._parts.sources[name], place, web)

        def apply(connection: Connection) -> Sequence[NewJob]:
            now, refresh = utcnow(), job.args["refresh"]
            told = remember(connection, name, place, scanned, now)
            due = catalog.due(connection, told.seen.ids, now, refresh=refresh)
            if not granted:
                granted.append(self._parts.allowance.take(len(due)))
            taken = due[: granted[0]]
            catalog.begin(connection, [address.price_file_id for address in taken])
            downloads = [download_job(address) for address in taken]
            ledger.hasten(connection, downloads)  # a refresh asks those too that wait for a later try
            sites = self._sites(connection, name, told.merged, now, refresh=refresh)
            return [*downloads, *(reconcile_job(file_id, now) for file_id in told.changed), *sites]

        found = len(scanned.found) + len(scanned.pointers)
        return Result(outcome=Outcome.OK, message=_said(scanned), apply=apply, rows=found)

    def _sites(
        self, connection: Connection, source: str, told: Merged, now: datetime, *, refresh: bool
    ) -> list[NewJob]:
        """Scans of the sites that were named, but for those that were asked a short while ago."""
        if _SITES not in self._parts.sources or source == _SITES:
            return []
        sites = sites_named(told.sightings, told.known)
        since = now if refresh else now - timedelta(seconds=self._parts.settings.sites_again_seconds)
        lately = sightings.asked_since(connection, _SITES, sites, since)
        return [scan_job(_SITES, site, refresh=refresh) for site in sites if site not in lately]

    def waits(self, connection: Connection, job: Job, outcome: Outcome, ending: Ending) -> None:
        """Nothing new is known; how it failed is written down."""
        _failed(connection, job, outcome, ending)

    def gave_up(self, connection: Connection, job: Job, outcome: Outcome, ending: Ending) -> None:
        """A source that fails changes nothing that is known."""
        _failed(connection, job, outcome, ending)

    def again(self, connection: Connection, args: Mapping[str, Any]) -> Sequence[NewJob]:
        """The same question once more."""
        del connection
        return [scan_job(args["source"], args["place"], refresh=args["refresh"])]


@dataclass(frozen=True, slots=True)
class Told:
    """What an answer was remembered as; `changed` are current snapshots that have other hospitals now."""

    merged: Merged
    seen: Seen
    changed: list[str]


def remember(connection: Connection, source: str, place: str, scanned: Scanned, now: datetime) -> Told:
    """Write down what a source said of a place: the hospitals, the addresses, how it answered.

    Nothing is ever deleted by it, and an answer that names nobody changes nothing.
    """
    told = _merged(connection, place, scanned, now)
    ids = [catalog.price_file_id(one.url) for one in told.sightings]
    before = catalog.current_owners(connection, ids)
    _know(connection, told, scanned.listed, now)
    seen = sightings.see(connection, source, place, told.sightings, now)
    after = catalog.current_owners(connection, seen.ids)
    changed = {file_id for file_id in after if after[file_id] != before.get(file_id)}
    changed |= catalog.current_files(connection, seen.updated)  # the header is to be asked about who is named anew
    for to in sorted(set(seen.moved.values())):
        changed |= set(give_way(connection, to, now))
    sightings.renamed(connection, source, told.renamed, now)
    if scanned.listed:
        changed |= _identify(connection, told)
    sightings.answered(
        connection,
        source,
        place,
        now,
        outcome=Outcome.OK,
        message=_said(scanned),
        found=len(seen.ids),
        listed=len(scanned.listed),
        new=len(seen.new),
        new_hospitals=len(told.new),
        updated=len(seen.updated),
        updated_hospitals=len(told.updated),
        skipped=scanned.reasons,
        tried=[{"url": one.url, "answer": one.answer, "verdict": one.verdict} for one in scanned.tried],
    )
    return Told(told, seen, sorted(changed))


def _merged(connection: Connection, place: str, scanned: Scanned, now: datetime) -> Merged:
    """Whom the records mean, among the hospitals that are known, and what is known of these now.

    Who is new is written down before that: another scan that names it at this moment waits, or is waited for.
    """
    said = meant(connection, place, scanned)
    ids = {one.hospital.hospital_id for one in (*said, *scanned.listed)}
    before = hospitals.by_id(connection, ids, hold=True)
    told = merged(before, said, scanned.listed)
    if not told.new:
        return told
    new = [told.known[key] for key in sorted(told.new)]
    hospitals.add(connection, new, now, _domains(new))
    after = merged(before | hospitals.by_id(connection, told.new, hold=True), said, scanned.listed)
    return replace(after, new=told.new, updated=after.updated - told.new)


def _know(connection: Connection, told: Merged, listed: Iterable[Listed], now: datetime) -> None:
    """Write down what is known now of those who were named, and by which words they are found."""
    changed = [told.known[key] for key in sorted(told.changed)]
    hospitals.write(connection, changed, now, _domains(changed))
    named = told.new | told.changed | {one.hospital.hospital_id for one in listed}
    hospital_words.write(connection, {key: sorted(words_of(told.known[key])) for key in sorted(named)})


def _domains(known: Iterable[Known]) -> dict[str, str | None]:
    return {one.hospital.hospital_id: site_of(one.hospital) for one in known}


def _identify(connection: Connection, told: Merged) -> set[str]:
    """Hospitals that were known without a CCN and are on the roster now. Returns the snapshots that changed hands."""
    candidates = candidates_of(one for one in told.known.values() if one.hospital.ccn)
    states = {one.hospital.state for one in told.known.values()}
    addresses: list[str] = []
    for one in hospitals.unidentified(connection, states):
        found = match(claim_of(one), candidates)
        if isinstance(found, Match):
            former = one.hospital.hospital_id
            addresses += hospitals.identify(connection, former, found.hospital_id, found.method, found.score)
    return catalog.current_files(connection, addresses)


def _failed(connection: Connection, job: Job, outcome: Outcome, ending: Ending) -> None:
    source, place = job.args["source"], job.args["place"]
    told = {"outcome": outcome, "reason": ending.reason, "message": ending.message}
    sightings.answered(connection, source, place, utcnow(), **told)


def _said(scanned: Scanned) -> str:
    listed = f"{len(scanned.listed):,} hospitals listed; " if scanned.listed else ""
    skipped = "".join(f"; {count} skipped: {reason}" for reason, count in scanned.reasons.items())
    return f"{listed}{len(scanned.found) + len(scanned.pointers)} found{skipped}"
