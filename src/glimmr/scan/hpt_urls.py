"""The addresses in a text a person wrote: without scheme, relative, with blanks, in brackets, several at once."""

import re
from itertools import pairwise

from glimmr.net import normalise
from glimmr.scan.identity import says_something

_LONGEST = 8000  # characters; no server takes a longer address
_QUOTES = {'"': '"', "'": "'", "`": "`", "\u201c": "\u201d", "\u2018": "\u2019", "\u201d": "\u201d", "<": ">"}
_BEFORE = re.compile("^[\\s,;|*#>\u2022\u00b7:=-]+")
_BEHIND = "\t\n \u00a0,;|*#\u2022\u00b7{}"
# Where an address begins. Inside another one (`?u=https://…`) none begins.
_SLASHES = r"[ \t]{0,2}(?:[:;][ \t]{0,2}/[ \t]?/{0,2}|//)[ \t]{0,2}"
_START = re.compile(
    r"(?:(?<=[\s<\"'\u201c\u2018(\[,;|*])|^)"
    rf"(?:https?{_SLASHES}(?=[\w\[])(?:www\.)?|//(?=[\w-]+\.)|www\.(?=\w))",
    re.IGNORECASE,
)
_SCHEME = re.compile(rf"^(https?){_SLASHES}", re.IGNORECASE)
_CLOSES = re.compile('[<>"\u201c\u201d\n]')
_MARKDOWN = re.compile(r"\[[^\[\]\n]{0,1000}\]\(\s?<?([^\s<>\[\]]{1,8000}?)>?\)(?=[\s,;*|]|$)")
_DATA = "csv|json|xml|xlsx?|xlsm|xlsb|ods|txt|zip|gz|7z"
_DATA_END = re.compile(f"\\.(?:{_DATA})(?:[?#]|$)", re.IGNORECASE)
_WORDS = re.compile("\\S+")
_AROUND = " \t\r\"'`,;|<>\u201c\u201d\u2018\u2019"
_ASIDE = re.compile(r"\s[(\[\u2013-]")
_TRAILS = re.compile("(?:\\*\\*|[ \\t,;|.'`\u2019{}Â\\\\]){1,100}\\Z")  # a single `*` ends real addresses
_HOST = re.compile("[a-z0-9-]+(?:\\.[a-z0-9-]+)*\\.([a-z]{2,63})(?::[0-9]{1,5})?(?=[/?#]|$)", re.IGNORECASE)
_FILES = re.compile(f"(?:{_DATA}|html?|aspx?|ashx|php|jsp|pdf)", re.IGNORECASE)
_OTHER_SCHEME = re.compile("[a-z][a-z0-9+.-]{1,20}:(?![0-9]{1,5}(?:/|$))", re.IGNORECASE)


def tidy(text: str) -> str:
    """A value without the marks around it: blanks, list and heading marks, quotes in pairs, commas behind."""
    text = _BEFORE.sub("", text[:_LONGEST].strip()).rstrip(_BEHIND)
    for _ in range(3):
        if len(text) < 2 or text[0] not in _QUOTES or text[-1] not in (_QUOTES[text[0]], text[0]):
            break
        inner = text[1:-1]
        if text[0] != "'" and (text[0] in inner or text[-1] in inner):
            break  # two quoted words, not one quoted text
        text = inner.strip().rstrip(_BEHIND)
    marks = [letter for letter in text if letter in '"\u201c\u201d']
    if len(marks) == 1 and marks[0] in (text[0], text[-1]):  # the other one stood on the key's side
        text = text.strip(marks[0]).strip()
    return text.rstrip(" -").rstrip(_BEHIND)


def addresses(value: str) -> list[str]:
    """The addresses in a value, as written but for what is around them. What is no address gives none."""
    value = value.replace("&amp;", "&").replace("\u00a0", " ").strip()
    starts = [match.start() for match in _START.finditer(value)]
    pieces = [value[start:end] for start, end in pairwise([*starts, len(value)])]
    before = value[: starts[0]].strip(_AROUND) if starts else ""
    if _HOST.match(before) and len(before.split()) == 1:
        pieces = [before, *pieces]
    pieces = [match[1] for match in _MARKDOWN.finditer(value)] or pieces
    if not pieces:
        pieces = [next((said for line in value.split("\n") if (said := line.strip(_AROUND))), "")]
        pieces = [piece for piece in pieces if _may_be_address(piece)]
    return list(dict.fromkeys(url for piece in pieces if (url := _alone(piece))))


def absolute(url: str, base: str) -> str:
    """The address as it is asked, found in a text at `base`, whose scheme it has where it names none itself.

    Raises BadUrl or ForbiddenScheme.
    """
    host = _HOST.match(url)
    if host and not _FILES.fullmatch(host[1]):
        return normalise(("http://" if base.startswith("http:") else "https://") + url)
    return normalise(url) if _SCHEME.match(url) else normalise(url, base=base)


def _alone(piece: str) -> str:
    """One address without what follows it."""
    piece = _SCHEME.sub(lambda scheme: scheme[1].lower() + "://", piece)
    piece = _CLOSES.split(piece, maxsplit=1)[0].strip()[:_LONGEST]
    ends = [word.end() for word in _WORDS.finditer(piece) if _DATA_END.search(_TRAILS.sub("", word[0]))]
    # File names have blanks in them, but prose may follow.
    piece = piece[: ends[-1]] if ends else _ASIDE.split(piece, maxsplit=1)[0]
    piece = _TRAILS.sub("", piece)
    for opened, closed in ("()", "[]"):
        if piece.count(opened) < piece.count(closed):
            piece = piece.rstrip(closed)
    return piece


def _may_be_address(text: str) -> bool:
    """Whether a text without `http` or `www` is one: a host name, a path, a file name, another scheme."""
    if not says_something(text):
        return False
    if _DATA_END.search(text.rsplit(maxsplit=1)[-1]) or text.startswith("/"):
        return True
    if any(letter.isspace() for letter in text) or "@" in text:
        return False
    return bool(_HOST.match(text) or _OTHER_SCHEME.match(text) or "/" in text.strip("/"))
