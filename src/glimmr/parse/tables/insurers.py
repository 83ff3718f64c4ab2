"""Which column names are those of a payer or plan: companies, programmes and kinds of plans, by their words."""

import re
from functools import lru_cache

from glimmr.parse.tables.vocabulary import words

_NO_RATE = frozenset(
    ("code", "cd", "number", "no", "num", "id", "#", "key", "status", "indicator", "category", "flag", "type", "date",
     "description", "desc", "effective", "note")
)  # fmt: skip
_INSURERS = (
    r"aetna|bcbs\w*|bsbs|blue ?(cross|shield|choice|care|advantage)|anthem|cigna|humana|uhc|umr|uha|medica|scan health",
    r"united|unitedhealth\w*|medicare|medicaid|medi-?cal|mcr|mcd|mcaid|tricare|champus|triwest|va|ccn|multiplan|phcs",
    r"kaiser|molina|centene|ambetter|superior|wellcare|wellmed|wellpoint|wellmark|ameri\w+|oscar|coventry|clover",
    r"hmo|ppo|epo|commercial|exchange|indemnity|chip|star ?plus|tpa|(out|in)[- ]of[- ]network|oon|tufts|fidelis|emblem",
    r"health ?(plan|net|smart|first|link|spring|partners|alliance)|first health|affinity|geisinger|highmark|upmc",
    r"workers? comp\w*|work comp|wc|alohacare|hmsa|optum|magellan|beacon|independence|harvard pilgrim|carefirst",
    r"premera|regence|moda|providence|preferred ?one|scott (and|&) white|galaxy|caresource|buckeye|paramount|sendero",
    r"medical mutual|meridian|peach ?state|qualchoice|community first|mutual of omaha|payer:|payor:",
)
_INSURER = re.compile(rf"\b({'|'.join(_INSURERS)})\b", re.IGNORECASE)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


@lru_cache(maxsize=4096)
def names_an_insurer(name: str) -> bool:
    """Whether a column name is that of a payer or plan, as far as its words tell."""
    plain = name.replace("_", " ")
    said = _INSURER.search(plain) or _INSURER.search(_CAMEL.sub(" ", plain))
    return said is not None and not _NO_RATE & frozenset(words(name))
