"""Where hospitals and their price files can be found: one module per source, one line each here."""

import difflib
from collections.abc import Callable

from glimmr.errors import UsageError
from glimmr.scan.pace import Diary, LocalDiary
from glimmr.scan.source import Source
from glimmr.scan.sources.cms_hpt import CmsHpt
from glimmr.scan.sources.cms_roster import CmsRoster
from glimmr.scan.sources.listing import Listing
from glimmr.scan.sources.page import Page
from glimmr.scan.sources.pra import Pra
from glimmr.settings import Settings

SOURCES: dict[str, Callable[[Settings, Diary], Source]] = {
    "cms_hpt": lambda _settings, _diary: CmsHpt(),
    "cms_roster": lambda settings, _diary: CmsRoster(settings.cms_roster_url, settings.cms_catalog_url),
    "listing": lambda _settings, _diary: Listing(),
    "page": lambda settings, _diary: Page(settings.pages_per_site),
    "pra": lambda settings, diary: Pra(
        settings.pra_url,
        requests=settings.pra_requests,
        delay_seconds=settings.pra_delay_seconds,
        window_seconds=settings.pra_window_seconds,
        diary=diary,
    ),
}


def enabled(settings: Settings, diary: Diary | None = None) -> dict[str, Source]:
    """The sources that are switched on, and the lists a user names. Raises UsageError naming one that there is not.

    Those that have a pace share it with all who write into `diary`; without one, each process has its own.
    """
    for name in settings.sources:
        if name not in SOURCES:
            near = difflib.get_close_matches(name, SOURCES, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(SOURCES)}"
            raise UsageError(f"setting GLIMMR_SOURCES: no source is called {name!r}; {hint}")
    own = diary or LocalDiary()
    return {
        name: build(settings, own) for name, build in SOURCES.items() if name in settings.sources or name == "listing"
    }
