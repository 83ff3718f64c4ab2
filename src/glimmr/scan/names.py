"""Names and addresses of hospitals, folded so that two spellings of one are equal. Pure."""

import re
import unicodedata
from functools import lru_cache

_APOSTROPHE = re.compile("['`\u00b4\u2018\u2019\u02bb]")
_NO_WORD = re.compile(r"[^a-z0-9]+")
_LONGEST_NAME, _LONGEST_WORD = 1000, 100  # letters; no index of PostgreSQL takes a word of 2,704 bytes
_INITIALS = re.compile(r"\b((?:[a-z] )+[a-z])\b")


def _table(text: str) -> dict[str, str]:
    """`a b=c d=e` as {a: c, b: c, d: e}."""
    table, waiting = dict[str, str](), list[str]()
    for word in text.split():
        short, equals, long = word.partition("=")
        waiting.append(short)
        if equals:
            table |= dict.fromkeys(waiting, long)
            waiting = []
    return table


# What CMS's roster and publishers shorten or write in two ways.
_WORDS = _table("""
st ste sts saints=saint mt=mount ft=fort pt=point hosp hospitals hsp hospitl=hospital med medcl=medical
ctr cntr centre centers=center mem meml mml=memorial reg regl rgnl=regional univ=university comm cmnty commun=community
co cnty=county cty=city hlth=health hlthcare hcare=healthcare gen genl=general rehab rehabilitat=rehabilitation
psych=psychiatric dist=district sys systems=system svcs srvcs service=services inst=institute spec=specialty
surg=surgical ortho orthopaedic=orthopedic natl=national childrens=children womens=women mens=men va vamc=veterans
n=north s=south e=east w=west twp=township hts=heights behav=behavioral
""")
_PAIRS = {
    ("health", "care"): "healthcare",
    ("long", "term"): "longterm",
    ("north", "west"): "northwest",
    ("north", "east"): "northeast",
    ("south", "west"): "southwest",
    ("south", "east"): "southeast",
}
_SAYS_NOTHING = _table("the of at and for a an in inc llc ltd lp llp pllc corp corporation dba aka fka cah=").keys()
# USPS Publication 28, Appendices B and C1: the commonest suffixes and directions; and numbers in letters.
_STREET = _table("""
street str=st avenue av=ave boulevard=blvd drive=dr road=rd lane=ln court=ct place=pl parkway=pkwy highway=hwy
circle=cir square=sq terrace=ter trail=trl turnpike=tpke expressway=expy freeway=fwy plaza=plz route=rte north=n south=s
east=e west=w northeast=ne northwest=nw southeast=se southwest=sw saint=st mount=mt fort=ft first=1st second=2nd
third=3rd fourth=4th fifth=5th sixth=6th seventh=7th eighth=8th ninth=9th tenth=10th one=1 two=2 three=3 four=4 five=5
""")
_ENDINGS = _table("st ave blvd dr rd ln ct pl pkwy hwy cir sq ter trl way n s e w ne nw se sw rte u us state=").keys()
_UNIT = re.compile(r"\b(?:suite|ste|unit|floor|bldg|building|room|rm|apt|dept|p o box|po box)\b.*")
_STATE = re.compile(r"\b([A-Z]{2})\b[\s,.]*(?:\d{5}(?:-?\d{4})?[\s.]*)?$")
_ZIP = re.compile(r"\b(\d{5})(?:-?\d{4})?[\s.]*$")


def plain(text: str) -> str:
    """Lower case, without accents, apostrophes and punctuation; single blanks."""
    bare = text.casefold()
    if not bare.isascii():
        bare = "".join(one for one in unicodedata.normalize("NFKD", bare) if not unicodedata.combining(one))
    return _NO_WORD.sub(" ", _APOSTROPHE.sub("", bare)).strip()


def name_words(name: str) -> tuple[str, ...]:
    """The words of a hospital's name that tell it apart: abbreviations written out; `the`, `of`, `Inc` gone.

    Of a name longer than any that is meant, and of such a word, only the beginning counts.
    """
    return _name_words(name[:_LONGEST_NAME])


@lru_cache(maxsize=4096)
def _name_words(name: str) -> tuple[str, ...]:
    text = _INITIALS.sub(lambda found: found[1].replace(" ", ""), plain(name))
    words: list[str] = []
    for word in (_WORDS.get(word, word[:_LONGEST_WORD]) for word in text.split()):
        pair = _PAIRS.get((words[-1], word)) if words else None
        if pair:
            words[-1] = pair
        else:
            words.append(word)
    return tuple(dict.fromkeys(word for word in words if word not in _SAYS_NOTHING))


@lru_cache(maxsize=4096)
def street(address: str) -> tuple[str, str] | None:
    """House number and the word that names the street; None of an address without a number.

    `1108 Ross Clark Cir.`, `1108 ROSS CLARK CIRCLE SUITE 2` and `1108 Ross Clark Circle, Dothan, AL 36301` agree.
    """
    line = plain(address.partition(",")[0].replace("-", ""))
    words = [_STREET.get(word, word) for word in _UNIT.sub("", line).split()]
    at = next((at for at, word in enumerate(words) if word[0].isdigit()), None)
    if at is None:
        return None
    names = [word for word in words[at + 1 : at + 5] if word not in _ENDINGS]
    return words[at], names[0] if names else ""


def zip_code(text: str) -> str | None:
    """The five digits of the ZIP code a text ends with."""
    found = _ZIP.search(text)
    return found[1] if found else None


def state_in(address: str) -> str | None:
    """The two letters in front of the ZIP code an address ends with, or at its very end."""
    found = _STATE.search(address.strip().upper())
    return found[1] if found else None
