"""What a person names to be scanned, as questions to the sources."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from glimmr.errors import UsageError
from glimmr.pipeline.scan_step import BY_SITE, questions
from glimmr.places import PLACES
from glimmr.scan.places import place_code
from glimmr.scan.sources import enabled
from glimmr.scan.sources.listing import check_list
from glimmr.settings import Settings


def sources_asked(
    settings: Settings,
    states: Sequence[str] | None,
    *,
    all_states: bool,
    from_list: Path | None = None,
    domains: Sequence[str] | None = None,
) -> list[tuple[str, str]]:
    """(source, place) pairs. Raises UsageError when nothing is named, or a state, a list or a source is none."""
    enabled(settings)  # a source that there is not is named, with the near miss
    places = list(PLACES) if all_states else [place_code(text) for given in states or [] for text in given.split(",")]
    asked = questions(settings.sources, list(dict.fromkeys(places)), everywhere=all_states)
    if places and not asked:
        raise UsageError("GLIMMR_SOURCES names no source that is asked about states: add pra or cms_roster")
    if from_list:
        check_list(from_list)
        asked.append(("listing", str(from_list.resolve())))
    by_site = [source for source in BY_SITE if source in settings.sources]
    for domain in [one for given in domains or () for one in given.split(",")]:
        if not by_site:
            raise UsageError("GLIMMR_SOURCES names no source that is asked about a domain: add cms_hpt or page")
        asked += [(source, _domain(domain)) for source in by_site]
    if not asked:
        domain = "" if domains is None else ", --domain hospital.org"
        raise UsageError(f"nothing to scan: name a source with --state VT, --all{domain}, or --from list.csv")
    return list(dict.fromkeys(asked))


def _domain(text: str) -> str:
    """The domain a person means: pasted from an address bar, too. Raises UsageError when it can be none."""
    given = text.strip().lower()
    try:
        host = urlsplit(given if "//" in given else f"//{given}").hostname or ""
    except ValueError:
        host = ""
    domain = host.removeprefix("www.").removesuffix(".")
    if "." not in domain or any(letter.isspace() for letter in domain) or not all(domain.split(".")):
        raise UsageError(f"--domain {text!r}: a hospital's own domain looks like hospital.org")
    return domain
