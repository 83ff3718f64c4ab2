"""What a robots.txt says about the pace of requests. The rest of it is not heeded: see docs/explain/polite.md."""

import math
import re
import urllib.robotparser

from glimmr.net.urls import origin

_NAME = "Glimmr"
_PARTS_OF_SECONDS = re.compile(r"(?im)^(\s*crawl-delay\s*:\s*)(\d{0,9}\.\d+)")


def address(url: str) -> str:
    """Where the robots.txt is that holds for this address (RFC 9309 §2.3)."""
    scheme, host, port = origin(url)
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/robots.txt"


def crawl_delay_seconds(body: bytes) -> float:
    """The Crawl-delay for us, else for everybody; 0 when it asks for none, or is no robots.txt at all."""
    text = _PARTS_OF_SECONDS.sub(
        lambda found: f"{found[1]}{math.ceil(float(found[2]))}", body.decode("utf-8-sig", "replace")
    )
    parser = urllib.robotparser.RobotFileParser()  # it knows whole seconds only
    try:
        parser.parse(text.splitlines())
        return float(parser.crawl_delay(_NAME) or 0)
    except (ValueError, OverflowError):
        return 0.0
