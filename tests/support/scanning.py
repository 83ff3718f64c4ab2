"""A scan by itself: it finds and remembers, and takes up no address. Also as a process, which may be killed."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

from glimmr import app
from glimmr.cli.asked import sources_asked
from glimmr.settings import Settings, load
from glimmr.stores.database import Database
from glimmr.world import Server, World
from glimmr.world.known import in_roster, roster_name
from tests.support import line
from tests.support.audit import rows

REMEMBERED = {
    "hospitals": "SELECT hospital_id, ccn, name, state, npis, website, domain, exempt_reason FROM hospitals",
    "sightings": "SELECT sightings.source, place, url, hospital_id, gone_at IS NULL AS live"
    " FROM sightings JOIN price_files USING (price_file_id)",
    # Which likeness told a hospital first is that of whichever of its sites was asked first.
    "links": "SELECT url, hospital_id, match_method IN ('ccn', 'source') AS is_own_word"
    " FROM price_file_hospitals JOIN price_files USING (price_file_id)",
    "answers": "SELECT source, place, outcome, found, listed FROM source_answers",
    "changes": "SELECT price_file_id, what FROM address_changes",
}


def start(data: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
    """Scan everything in a process of its own, which is the leader of a group."""
    root = Path(__file__).parents[2]
    words = [sys.executable, "-m", "tests.support.scanning", str(data)]
    return subprocess.Popen(words, env=env, cwd=root, start_new_session=True)


def settings_of(server: Server, data: Path, **more: Any) -> Settings:
    """The settings with which the scan lives in a world, in this process."""
    given = line.environment(server)
    named = {name.removeprefix("GLIMMR_").lower(): given[name] for name in given if name.startswith("GLIMMR_")}
    return load(**(named | {"data": data, "scans": 4} | more))


def scan(settings: Settings, *states: str, refresh: bool = False) -> None:
    """Scan these states, or all."""
    asked = sources_asked(settings, states, all_states=not states)
    with app.working(settings, limit=0) as parts:
        asyncio.run(app.walk(parts, asked, refresh=refresh, stop=asyncio.Event()))


def remembered(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """All that was found, without the moments."""
    told = {name: rows(database, query) for name, query in REMEMBERED.items()}
    return {name: sorted(tuple(map(str, row.values())) for row in some) for name, some in told.items()}


def found(database: Database) -> set[tuple[str, str, str]]:
    """Source, hospital and address of everything that was found."""
    return {(row["source"], row["hospital_id"], row["url"]) for row in rows(database, REMEMBERED["sightings"])}


def named(world: World) -> dict[str, str]:
    """The name under which each hospital must be known."""
    return {one.ccn: roster_name(world, one) if in_roster(world, one) else one.name for one in world.hospitals}


if __name__ == "__main__":
    scan(load(data=Path(sys.argv[1])), *sys.argv[2:])
