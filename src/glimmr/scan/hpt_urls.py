"""The addresses in a text a person wrote: without scheme, relative, with blanks, in brackets, several at once."""

import re
from itertools import pairwise

from glimmr.net import normalise
from glimmr.scan.identity import says_something

_LONGEST = 8000  # characters; no server takes a longer address
_QUOTES = {'"': '"', "'": "'", "`": "`", "<": ">", "\u00ab": "\u00bb"} | dict(
    zip("\u201c\u2018\u201d\u201e", "\u201d\u2019\u201d\u201c", strict=True)
)
_BEFORE = re.compile("^[\\s,;|*#>\u2022\u00b7:=-]+")
_BEHIND = "\t\n \u00a0,;|*#\u2022\u00b7{}"
# Where an address begins. Inside another one (`?u=https://…`) none begins.
_SLASHES = r"[ \t]{0,2}(?:[:;][ \t]{0,2}/[ \t]?/{0,2}|//)[ \t]{0,2}"
_BEGIN = r"(?:(?<=[\s<\"'`{\u201c\u2018\u201e\u00ab(\[,;|*])|^)"
_START = re.compile(
    rf"{_BEGIN}(?:https?{_SLASHES}(?=[\w\[])(?:www\.)?|//(?=[\w-]+\.)|www\.(?=\w))",
    re.IGNORECASE,
)
_BARE = re.compile(rf"{_BEGIN}(?:[a-z0-9-]+\.)+([a-z]{{2,63}})(?::[0-9]{{1,5}})?(?=/)", re.IGNORECASE)
_SCHEME = re.compile(rf"^(?:https?{_SLASHES})*(https?){_SLASHES}", re.IGNORECASE)  # also written twice
_CLOSES = re.compile('[<>"`\u201c\u201d\u00bb\n]')
_LINK = re.compile(r"\[[^\[\]\n]{0,1000}\]\(\s?<?([^\s<>\[\]]{1,8000}?)>?\)(?=[\s,;*|\"'`\u201d\u2019]|$)")  # Markdown
_PROSE = re.compile(r"\b(?!(?:and|or)\b)[^\W\d_]{2}", re.IGNORECASE)
_DATA = "csv|json|xml|xlsx?|xlsm|xlsb|ods|txt|zip|gz|7z"
_DATA_END = re.compile(f"\\.(?:{_DATA})(?:[?#]|$)", re.IGNORECASE)
_WORDS = re.compile("\\S+")
_FOLDER = re.compile("[^\\W\\d]/")
_AROUND = " \t\r\"'`,;|<>\u201c\u201d\u2018\u2019"
_ASIDE = re.compile(r"\s[(\[\u2013-]")
_TRAILS = re.compile("(?:\\*\\*|[ \\t,;|.'`\u2019\u2022\u00b7{}Â\\\\]){1,100}\\Z")  # a single `*` ends real addresses
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


def addresses(value: str, *, below: bool = False) -> list[str]:
    """The addresses in a value, as written but for what is around them. What is no address gives none.

    Below the first one (`below`: it stands above this text) prose may name others: there only what stands alone, or is
    a data file by its name, is taken.
    """
    found: dict[str, None] = {}
    lines = [line for line in value.replace("\u00a0", " ").split("\n") if line.strip(_AROUND)]
    for at, line in enumerate(lines):
        for before, said in _begun(line) or _relative(line, alone=below or at > 0):
            url = _SCHEME.sub(lambda scheme: scheme[1].lower() + "://", said)
            if url and (not (below or found) or _DATA_END.search(url) or not _PROSE.search(before)):
                found[url] = None
    return list(found)


def _begun(line: str) -> list[tuple[str, str]]:
    """What begins as an address does, and the text between it and the one before."""
    if links := list(_LINK.finditer(line)):
        ends = [0, *(link.end() for link in links)]
        return [(line[end : link.start()], _cut(link[1])) for end, link in zip(ends, links, strict=False)]
    starts = [match.start() for match in _START.finditer(line)]
    head = line[: starts[0]] if starts else line
    starts = [bare.start() for bare in _BARE.finditer(head) if not _FILES.fullmatch(bare[1])] + starts
    before, found = line[: starts[0]] if starts else "", list[tuple[str, str]]()
    for start, end in pairwise([*starts, len(line)]):
        said = _cut(line[start:end])
        found.append((before, said))
        before = line[start + len(said) : end]
    return found


def _relative(line: str, *, alone: bool) -> list[tuple[str, str]]:
    """An address that does not begin as one. `alone`: below an address only one that is surely a file's is one."""
    said = tidy(line)
    piece = _cut(said)
    if piece.startswith("/") or _DATA_END.search(piece):
        is_one = says_something(said) and (not alone or len(piece.split()) == 1)
    else:
        is_one = not alone and _may_be_address(said)
    return [("", piece)] if is_one else []


def absolute(url: str, base: str) -> str:
    """The address as it is asked, found in a text at `base`, whose scheme it has where it names none itself.

    Raises BadUrl or ForbiddenScheme.
    """
    host = _HOST.match(url)
    if host and not _FILES.fullmatch(host[1]):
        return normalise(("http://" if base.startswith("http:") else "https://") + url)
    return normalise(url) if _SCHEME.match(url) else normalise(url, base=base)


def _cut(piece: str) -> str:
    """One address without what follows it."""
    piece = _CLOSES.split(piece, maxsplit=1)[0].rstrip()[:_LONGEST]
    ends = [word.end() for word in _WORDS.finditer(piece) if _DATA_END.search(_TRAILS.sub("", word[0]))]
    # The names of files and folders have blanks in them, but prose may follow.
    if not ends:
        piece = _ASIDE.split(piece, maxsplit=1)[0]
        ends = [word.end() for word in _WORDS.finditer(piece) if not word.start() or _FOLDER.search(word[0])]
    piece = piece[: ends[-1]] if ends else ""
    piece = _TRAILS.sub("", piece)
    for opened, closed in ("()", "[]"):
        if piece.count(opened) < piece.count(closed):
            piece = piece.rstrip(closed)
    return piece


def _may_be_address(text: str) -> bool:
    """Whether a text without `http`, `www` or a file's name is one: a host, a path, another scheme."""
    if not says_something(text) or any(letter.isspace() for letter in text) or "@" in text:
        return False
    return bool(_HOST.match(text) or _OTHER_SCHEME.match(text) or "/" in text.strip("/"))
