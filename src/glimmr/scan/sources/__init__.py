"""Where hospitals and their price files can be found: one module per source, one line each here."""

from collections.abc import Callable

from glimmr.scan.source import Source
from glimmr.scan.sources.cms_roster import CmsRoster
from glimmr.scan.sources.listing import Listing
from glimmr.scan.sources.pra import Pra
from glimmr.settings import Settings

SOURCES: dict[str, Callable[[Settings], Source]] = {
    "cms_roster": lambda settings: CmsRoster(settings.cms_roster_url, settings.cms_catalog_url),
    "listing": lambda _settings: Listing(),
    "pra": lambda settings: Pra(
        settings.pra_url, requests=settings.pra_requests, delay_seconds=settings.pra_delay_seconds
    ),
}
