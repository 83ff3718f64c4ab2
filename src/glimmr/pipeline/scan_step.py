"""Step `scan`: ask one source about one place; an address that is due becomes a download, a site a scan of its own."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from glimmr.jobs import ledger, recovery
from glimmr.jobs.job import Ending, Job, NewJob, Result, Tell
from glimmr.model import Known, Lead, Listed, Sighting
from glimmr.outcomes import Outcome
from glimmr.pipeline.download_step import download_job, reconcile_job
from glimmr.pipeline.meant import meant
from glimmr.pipeline.moved import give_way
from glimmr.pipeline.parts import Parts, utcnow
from glimmr.pipeline.run_web import RunWeb
from glimmr.pipeline.scan_job import scan_job, since_of
from glimmr.scan import Scanned, proven, scan
from glimmr.scan.match import Match, claim_of, match
from glimmr.scan.merge import Merged, candidates_of, merged, site_of, sites_named, words_of
from glimmr.scan.source import EVERYWHERE, Said
from glimmr.stores import catalog, hospital_words, hospitals, sightings
from glimmr.stores.database import Connection
from glimmr.stores.in_parts import in_parts
from glimmr.stores.sightings import Seen

_BY_STATE = ("cms_roster", "pra")  # the sources that are asked about states, who says who there is first
BY_SITE = ("cms_hpt", "page")  # the sources that are asked about the sites that others name


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

        def prove(leads: Sequence[Lead]) -> Iterable[Said]:
            at_home = self._parts.database.read(lambda connection: hospitals.at_domain(connection, place))
            names = [one.hospital.name for one in at_home if site_of(one.hospital) == place]
            return proven(leads, web, lambda head: self._parts.heads.look(head, tell), names)

        scanned = await asyncio.to_thread(scan, name, self._parts.sources[name], place, web, prove)

        def apply(connection: Connection) -> Sequence[NewJob]:
            now, since, refresh = utcnow(), since_of(job.args), job.args["refresh"]
            refreshed = since if refresh else None
            told = remember(connection, name, place, scanned, now)
            due = catalog.due(connection, told.seen.ids, now, since=refreshed)
            if not granted:
                granted.append(self._parts.allowance.take(len(due)))
            taken = due[: granted[0]]
            catalog.begin(connection, [address.price_file_id for address in taken], since=refreshed)
            downloads = [download_job(address) for address in taken]
            ledger.hasten(connection, downloads)  # a refresh asks those too that wait for a later try
            sites = self._sites(connection, name, told.sites, since, refresh=refresh)
            return [*downloads, *(reconcile_job(file_id, now) for file_id in told.changed), *sites]

        found = len(scanned.found) + len(scanned.pointers)
        return Result(outcome=Outcome.OK, message=_said(scanned), apply=apply, rows=found)

    def _sites(
        self, connection: Connection, source: str, sites: Sequence[str], since: datetime, *, refresh: bool
    ) -> list[NewJob]:
        """Scans of the sites that were named, but for those that were asked since, or answered a short while ago."""
        asked = [one for one in BY_SITE if one in self._parts.sources]
        if not asked or source in BY_SITE:
            return []
        heard = since if refresh else since - timedelta(seconds=self._parts.settings.sites_again_seconds)
        lately = {one: sightings.asked_since(connection, one, sites, since, heard_since=heard) for one in asked}
        put = [
            scan_job(one, site, refresh=refresh, since=since)
            for one in asked
            for site in sites
            if site not in lately[one]
        ]
        # To write a job beside one that is just ending waits for that end, which waits for the hospitals we hold.
        live = recovery.live_keys(connection, [one.key for one in put])
        return [one for one in put if one.key not in live]

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

    sites: list[str]  # that were named
    seen: Seen
    changed: list[str]


def remember(connection: Connection, source: str, place: str, scanned: Scanned, now: datetime) -> Told:
    """Write down what a source said of a place: the hospitals, the addresses, how it answered.

    Nothing is ever deleted by it, and an answer that names nobody changes nothing.
    """
    said = meant(connection, place, scanned)
    ids = [catalog.price_file_id(one.url) for one in said]
    before = catalog.current_owners(connection, ids)
    known = _know(connection, said, scanned.listed, now)
    seen = sightings.see(connection, source, place, said, now, whole=scanned.whole)
    after = catalog.current_owners(connection, seen.ids)
    changed = {file_id for file_id in after if after[file_id] != before.get(file_id)}
    changed |= catalog.current_files(connection, seen.updated)  # the header is to be asked about who is named anew
    for to in sorted(set(seen.moved.values())):
        changed |= set(give_way(connection, to, now))
    sightings.renamed(connection, source, known.renamed, now)
    changed |= _identify(connection, {one.hospital.state for one in scanned.listed})
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
        new_hospitals=len(known.new),
        updated=len(seen.updated),
        updated_hospitals=len(known.updated),
        skipped=scanned.reasons,
        tried=[{"url": one.url, "answer": one.answer, "verdict": one.verdict} for one in scanned.tried],
    )
    return Told(sorted(known.sites), seen, sorted(changed))


@dataclass(slots=True)
class _Known:
    """What an answer changed in what is known of hospitals, and the sites that are known of those it named."""

    new: set[str] = field(default_factory=set[str])
    updated: set[str] = field(default_factory=set[str])
    renamed: dict[str, str] = field(default_factory=dict[str, str])
    sites: set[str] = field(default_factory=set[str])


def _know(connection: Connection, said: Sequence[Sighting], listed: Sequence[Listed], now: datetime) -> _Known:
    """Write down what is known now of those who were named, some at a time: a roster names all there are.

    Always in the order of their ids, so that two answers that name the same do not wait in a circle.
    """
    known = _Known()
    by_hospital = defaultdict[str, tuple[list[Sighting], list[Listed]]](lambda: ([], []))
    for one in said:
        by_hospital[one.hospital.hospital_id][0].append(one)
    for one in listed:
        by_hospital[one.hospital.hospital_id][1].append(one)
    for ids in in_parts(sorted(by_hospital)):
        sighted = [one for key in ids for one in by_hospital[key][0]]
        part = [one for key in ids for one in by_hospital[key][1]]
        told = _merged(connection, sighted, part, now)
        changed = [told.known[key] for key in sorted(told.changed)]
        hospitals.write(connection, changed, now, _domains(changed))
        named = told.new | told.changed | {one.hospital.hospital_id for one in part}
        hospital_words.write(connection, {key: sorted(words_of(told.known[key])) for key in sorted(named)})
        known.new |= told.new
        known.updated |= told.updated - known.new
        known.renamed |= told.renamed
        known.sites.update(sites_named(sighted, told.known))
    return known


def _merged(connection: Connection, said: Sequence[Sighting], listed: Sequence[Listed], now: datetime) -> Merged:
    """What is known now of the hospitals that were named.

    Who is new is written down before that: another scan that names it at this moment waits, or is waited for.
    """
    ids = {one.hospital.hospital_id for one in (*said, *listed)}
    before = hospitals.by_id(connection, ids, hold=True)
    told = merged(before, said, listed)
    if not told.new:
        return told
    new = [told.known[key] for key in sorted(told.new)]
    hospitals.add(connection, new, now, _domains(new))
    after = merged(before | hospitals.by_id(connection, told.new, hold=True), said, listed)
    return replace(after, new=told.new, updated=after.updated - told.new)


def _domains(known: Iterable[Known]) -> dict[str, str | None]:
    return {one.hospital.hospital_id: site_of(one.hospital) for one in known}


def _identify(connection: Connection, states: Iterable[str]) -> set[str]:
    """Hospitals of these states that were known without a CCN, and are with one now.

    Returns the snapshots that changed hands.
    """
    addresses: list[str] = []
    for state in sorted(states):
        unknown = hospitals.unidentified(connection, [state])
        known = hospitals.in_states(connection, [state]) if unknown else []
        candidates = candidates_of(one for one in known if one.hospital.ccn)
        for one in unknown:
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
    listed, found = len(scanned.listed), len(scanned.found) + len(scanned.pointers)
    hospitals_listed = f"{listed:,} {'hospital' if listed == 1 else 'hospitals'} listed; " if listed else ""
    skipped = "".join(f"; {count} skipped: {reason}" for reason, count in scanned.reasons.items())
    return f"{hospitals_listed}{found:,} {'address' if found == 1 else 'addresses'} found{skipped}"
