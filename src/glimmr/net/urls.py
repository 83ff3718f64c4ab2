"""What an address means: what publishers write made into a URL a server understands, and one that may be shown."""

import ipaddress
import re
import socket
from urllib.parse import SplitResult, quote, unquote_plus, urljoin, urlsplit, urlunsplit

from glimmr.errors import BadUrl, ForbiddenScheme

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_HOST_PORT = re.compile(r"[^/?#:@\s]+:\d{1,5}(?=[/?#]|$)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2028-\u202e\u2060\ufeff]")
_HOST = re.compile(r"[A-Za-z0-9._-]+")
# What RFC 3986 lets stand in a path or query, and `%`: an address is mostly encoded already, and is not encoded twice.
_KEPT = "!$%&'()*+,/:;=@-._~"
_BARE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")
# `https:h.test/a`, which a base would be put before: what has a dot before the slash is a host, as where there is none.
_SLASHLESS = re.compile(r"(?i)(https?:)/?(?=[^./?#]+\.[^/?#]*/)")
_SECRET = re.compile(
    r"(^|[-_.\[])(sig|key|pass|pwd|pw|sas|auth|authorization|bearer|session|sid|ticket|jwt|hmac|[cx]srf)$"
    r"|(?-i:[a-z]Key$)"
    r"|(signature|token|password|passwd|passphrase|passcode|secret|credential)s?$"
    r"|((access|api|auth|private|resource|share|rl)key|accesskeyid|accessid|sessionid|sessid|tempauth)$"
    r"|^(?-i:Policy)$"  # CloudFront's
    r"|^(se|sv|skoid|sktid)$"  # Azure's shared access signature
    r"|^hdn(ea|ts)$"  # Akamai's
    r"|^x-(amz|goog|oss|cos)-",
    re.IGNORECASE,
)
_ASIDE = "[]_ \t\"'\\"  # around a name, which servers let pass: token[]; or quotes it: {"token": …
_BETWEEN = re.compile(r"[?&;/#~,{]")  # the pairs of an address, or of one inside it
_IS = re.compile("[=:]")
_LOGIN = re.compile(r"//[^/?#]*@")
_SEGMENTS = re.compile(r"([/\\;&])")  # of a path, with what some servers take for its query: ;jsessionid=…
_PIECES = re.compile(r"(?s)([A-Za-z][A-Za-z0-9+.-]*:)?([/\\]*)([^/\\?]*)([^?]*)(\??)(.*)")
_PAIRS = re.compile("([&;])")  # some servers take the second for the first (HTML 4.01, B.2.2)
# They name something inside a page or a program: there is no server to ask.
_NOT_WEB = frozenset(("blob", "mailto", "javascript", "data", "tel", "about", "sms"))
_DEFAULT_PORTS = {"http": 80, "https": 443}


def normalise(url: str, *, base: str | None = None) -> str:
    """`url` as it is asked: absolute http(s), percent-encoded, without fragment.

    Blanks around it and invisible characters in it are dropped, a missing scheme means https, a backslash is a slash
    (publishers write Windows paths; browsers do the same), other forbidden characters are encoded as UTF-8 (RFC 3987).
    Of a path's spellings one is asked. A `base` makes relative addresses absolute. Raises BadUrl or ForbiddenScheme.
    """
    text = _CONTROL.sub("", _INVISIBLE.sub("", url)).strip()
    try:
        return _rebuilt(_split(text, base))
    except ForbiddenScheme:
        raise
    except (ValueError, BadUrl) as error:
        shown = redact(text)[:300]
        raise BadUrl(f"{shown or '(nothing)'} is not a web address: {error}", url=shown) from None


def _split(text: str, base: str | None) -> SplitResult:
    if not text:
        raise BadUrl("it is empty")
    head, mark, query = text.partition("?")
    text = head.replace("\\", "/") + mark + query
    if base is not None:
        slashless = _SLASHLESS.match(text)
        text = urljoin(base, f"{slashless[1]}//{text[slashless.end() :]}" if slashless else text)
    scheme = _SCHEME.match(text)
    if scheme is None or _HOST_PORT.match(text):
        text = "https://" + text.lstrip("/")
    elif scheme[1].lower() in _NOT_WEB:
        raise BadUrl(f"`{scheme[1]}:` names nothing on a server")
    elif scheme[1].lower() not in _DEFAULT_PORTS:
        shown = redact(text)[:300]
        raise ForbiddenScheme(f"{shown}: only http and https addresses are asked", url=shown)
    elif not text[scheme.end() :].startswith("//"):
        text = f"{scheme[1]}://{text[scheme.end() :].lstrip('/')}"
    return urlsplit(text)


def _rebuilt(parts: SplitResult) -> str:
    host = _host(parts.hostname or "")
    port = parts.port
    place = f"[{host}]" if ":" in host else host
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        place += f":{port}"
    userinfo, at, _ = parts.netloc.rpartition("@")
    path = _encoded(parts.path)
    # A signature may be over the very letters of its address, and stands in a query by any name: that stays as written.
    if not any(map(_is_secret, _PAIRS.split(parts.query))):
        path = _ESCAPE.sub(_meant, path)
    return urlunsplit(
        (
            parts.scheme,
            quote(userinfo, safe=_KEPT) + at + place,
            _without_dots(path) or "/",
            _encoded(parts.query, "?"),
            "",
        )
    )


def _host(host: str) -> str:
    host = host.rstrip(".").lower()
    if ":" in host:
        return str(ipaddress.IPv6Address(host))
    if not host.isascii():
        host = host.encode("idna").decode("ascii")
    if not _HOST.fullmatch(host) or ".." in host or len(host) > 253:
        raise BadUrl("it has no usable host name")
    return host


def _encoded(text: str, also: str = "") -> str:
    return quote(_BARE_PERCENT.sub("%25", text), safe=_KEPT + also)


def _meant(escape: re.Match[str]) -> str:
    """The one spelling of all that mean this (RFC 3986, 6.2.2): no escape where none is needed, else in capitals."""
    character = chr(int(escape[1], 16))
    return character if _UNRESERVED.fullmatch(character) else escape[0].upper()


def _without_dots(path: str) -> str:
    """Without `.` and `..`, which libcurl takes out before it asks (RFC 3986, 5.2.4)."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1:] in (["."], [".."]):
        kept.append("")
    return "".join(f"/{segment}" for segment in kept)


def redact(url: str) -> str:
    """`url` as it may be shown and logged: without login, values of token-like query keys, and control characters."""
    url = _CONTROL.sub(lambda found: f"%{ord(found[0]):02X}", url.partition("#")[0])
    pieces = _PIECES.fullmatch(url)
    assert pieces is not None, "every text has this shape"
    scheme, slashes, place, path, mark, query = (piece or "" for piece in pieces.groups())
    if "@" in place:
        place = "***@" + place.rpartition("@")[2]
    path = "".join(map(_redacted, _SEGMENTS.split(path)))
    return scheme + slashes + place + path + mark + "".join(map(_redacted, _PAIRS.split(query)))


def _redacted(pair: str) -> str:
    if not _is_secret(pair):
        return pair
    name, equals, _ = pair.partition("=")
    return f"{name}{equals}***" if equals and not _is_secret(name) else "***"


def _is_secret(pair: str) -> bool:
    """Also where the value is an address, a query or JSON with a secret of its own, encoded or not."""
    meant = unquote_plus(unquote_plus(pair))
    names = (name.strip(_ASIDE) for piece in _BETWEEN.split(meant) for name in _IS.split(piece)[:-1])
    return _LOGIN.search(meant) is not None or any(map(_SECRET.search, names))


def host_of(url: str) -> str:
    """The host name of a normalised URL, in lower case, without port."""
    return urlsplit(url).hostname or ""


def other_name(url: str) -> str | None:
    """`url` at the other name that sites have: with `www.`, or without. None where there is none."""
    parts, host = urlsplit(url), host_of(url)
    bare = host.removeprefix("www.")
    if literal(host) is not None or "." not in bare:
        return None
    other = bare if bare != host else f"www.{host}"
    return urlunsplit(parts._replace(netloc=f"{other}:{parts.port}" if parts.port else other))


def is_named(host: str, pattern: str) -> bool:
    """Whether a pattern of the settings means this host: its name, or `*.` and what its name ends with."""
    return pattern == host or (pattern.startswith("*.") and host.endswith(pattern[1:]))


def port_of(url: str) -> int:
    """The port a normalised URL means."""
    parts = urlsplit(url)
    return parts.port or _DEFAULT_PORTS[parts.scheme]


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port: what decides whether headers given for one URL may go to another (RFC 6454)."""
    return urlsplit(url).scheme, host_of(url), port_of(url)


def literal(host: str) -> Address | None:
    """The address a host name is by itself, also in the odd forms C libraries read: 127.1, 0x7f000001, 2130706433."""
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        pass
    try:
        # inet_aton ignores what follows a blank; a host name has none.
        return ipaddress.IPv4Address(socket.inet_aton(host)) if " " not in host else None
    except (OSError, ValueError):
        return None
