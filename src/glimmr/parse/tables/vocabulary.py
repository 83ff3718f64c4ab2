"""What a legacy column is called: the many names hospitals gave before CMS's template, as roles.

A name is first looked up whole, then judged by its words, rule after rule. Many names say two things ("charge" is a
price or a code): `tables.roles` decides by what stands under them.
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache


class Role(StrEnum):
    """What the cells of a column are."""

    DESCRIPTION = "description"
    CODE = "code"
    CODE_TYPE = "code_type"
    SETTING = "setting"
    BILLING_CLASS = "billing_class"
    MODIFIERS = "modifiers"
    GROSS = "gross_charge"
    CASH = "discounted_cash"
    MIN = "min_negotiated"
    MAX = "max_negotiated"
    NEGOTIATED = "negotiated_dollar"
    PAYER = "payer_name"
    PLAN = "plan_name"
    METHODOLOGY = "methodology"
    NOTES = "generic_notes"
    COUNTING = "counting"  # quantities, dates, weights, places: never a price, never a payer
    UNKNOWN = "unknown"


PRICES = frozenset((Role.GROSS, Role.CASH, Role.MIN, Role.MAX, Role.NEGOTIATED))


@dataclass(frozen=True, slots=True)
class Named:
    """What a name says: the role, how surely (higher is surer), the code's type, the setting it is for."""

    role: Role
    weight: int = 0
    code_type: str | None = None
    setting: str | None = None
    average: bool = False


_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[a-z0-9]+|[#%]")
_YEAR = re.compile(r"(?:fy|cy)? ?(?:19|20)\d\d(?: (?:avg|average))?", re.IGNORECASE)
_GLUED = re.compile(r"(\w*?)(description|descr?|price|charge|code|amount)s?(\d*)")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NO_PLURAL = _words(
    "hcpcs cpthcpcs ms class gross less plus los pos us is as this various previous cms ers trs bcbs phcs sales address"
    " access basis diagnosis status"
)
_LONGEST_NAME = 200  # characters
_LONGEST_WORD = 60
_HUNGARIAN = _words("num str keystr")
_INPATIENT = _words("inpatient ip inp inpat")
_OUTPATIENT = _words("outpatient op outp outpat")
_TEXT = _words("description desc descr descrip descripion decription dsc title definition")
_ITEM = _words(
    "item service procedure proc name medication generic charge shoppable technical supply test treatment package drug"
    " level"
)
_CODE = _words("code cd number no num id # key mnemonic nbr")
_PRICE = _words("charge chg chrg price fee amount amt rate cost billed pricing tariff covered")
_NO_PRICE = _words(
    "group schedule cat category editable override type class qty quant quantity multiplier implied dept quantitaty"
)
_MINIMUM = _words("min minimum mininum minumum low lowest")
_MAXIMUM = _words("max maximum maxinum high highest")
_CASH = _words("cash selfpay uninsured selfpaid")
_NEGOTIATED = _words("negotiated neg contracted reimbursement reimbursment allowed allowable negotiate")
_PAYER = _words("payer payor insurer insurance carrier")
_AVERAGE = _words("average avg median mean typical")
_CHANGE = _words("increase change difference variance utilization")
_COUNTING = _words(
    "quantity qty count weight unit year date rank volume case claim day los rvu dept department percent percentage %"
    " revenue admission visit discharge factor zip phone npi ein tax size county city state age beds bed gl override"
    " multiplier time row effective frequency implied editable cat category used"
    " hospital facility location entity site campus region system"
)
_DRG = _words("drg msdrg aprdrg")
_KNOWN = (
    _TEXT | _ITEM | _CODE | _PRICE | _MINIMUM | _MAXIMUM | _CASH | _NEGOTIATED | _PAYER | _AVERAGE | _COUNTING | _CHANGE
    | _DRG | _words("gross standard discounted discount inpatient outpatient cpt hcpcs ndc rev self pay patient"
                    " deidentified specific corporate type")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Rule:
    """What a name is that has one of some words, one of others too (or nothing is asked), and none of the rest."""

    any_of: frozenset[str]
    gives: Named
    and_of: frozenset[str] = frozenset()
    none_of: frozenset[str] = frozenset()

    def fits(self, found: frozenset[str]) -> bool:
        return bool(found & self.any_of) and (not self.and_of or bool(found & self.and_of)) and not found & self.none_of


_COUNTS = Named(Role.COUNTING)
_TEXT_RULES = (
    _Rule(_words("version"), _COUNTS),
    _Rule(_CHANGE, _COUNTS),
    _Rule(_words("% percent percentage"), _COUNTS, none_of=_NEGOTIATED),
    _Rule(_words("mod modifier mod1 mod2 mod3 mod4"), Named(Role.MODIFIERS, 6)),
    _Rule(_TEXT, _COUNTS, and_of=_words("dept department group")),
    _Rule(_TEXT, Named(Role.DESCRIPTION, 5)),
    _Rule(_words("name"), Named(Role.DESCRIPTION, 5), and_of=(_ITEM | _DRG) - {"name"}),
)
# The type of the codes under such a name; `HCPCS` also where CPT codes stand.
_CODE_RULES = (
    _Rule(_words("ndc"), Named(Role.CODE, 6, "NDC"), none_of=_words("unit quant quantity multiplier")),
    _Rule(_words("national"), Named(Role.CODE, 6, "NDC"), and_of=_words("drug")),
    _Rule(_words("hcpcs hcpc cpt cpt4 cpthcpcs"), Named(Role.CODE, 6, "HCPCS")),
    _Rule(_words("apr aprdrg"), Named(Role.CODE, 6, "APR-DRG")),
    _Rule(_words("tris"), Named(Role.CODE, 6, "TRIS-DRG"), and_of=_DRG),
    _Rule(_DRG, Named(Role.CODE, 6, "MS-DRG")),
    _Rule(_words("apc"), Named(Role.CODE, 6, "APC")),
    _Rule(_words("eapg"), Named(Role.CODE, 6, "EAPG")),
    _Rule(_words("icd icd9 icd10"), Named(Role.CODE, 6, "ICD")),
    _Rule(_CODE, Named(Role.CODE, 6, "RC"), and_of=_words("rev revenue")),
    _Rule(
        _CODE,
        Named(Role.CODE, 6, "CDM"),
        and_of=_PRICE | _ITEM | _words("cdm px master billing reference"),
        none_of=_words("payer tax plan"),
    ),
    _Rule(_words("cdm"), Named(Role.CODE, 5, "CDM")),
)
_PAYER_RULES = (
    _Rule(_PAYER, Named(Role.PAYER, 6), none_of=_PRICE | _NEGOTIATED | _MINIMUM | _MAXIMUM | _CODE),
    _Rule(_words("date year effective"), _COUNTS),
)
_PRICE_RULES = (
    _Rule(_MINIMUM, Named(Role.MIN, 7), none_of=_words("minute age")),
    _Rule(_MAXIMUM, Named(Role.MAX, 7), none_of=_words("age")),
    _Rule(_CASH, Named(Role.CASH, 7)),
    _Rule(_words("pay"), Named(Role.CASH, 7), and_of=_words("self prompt patient")),
    _Rule(_words("discount discounted"), Named(Role.CASH, 4), and_of=_PRICE | _NEGOTIATED),
    _Rule(_NEGOTIATED, Named(Role.NEGOTIATED, 6)),
    _Rule(_words("specific expected"), Named(Role.NEGOTIATED, 6), and_of=_PAYER | _words("payment")),
    _Rule(_words("gross"), Named(Role.GROSS, 8), none_of=_words("revenue rev")),
    _Rule(_PRICE, Named(Role.GROSS, 4), and_of=_words("total old previous prior"), none_of=_NO_PRICE),
    _Rule(_PRICE, Named(Role.GROSS, 5), none_of=_NO_PRICE),
)
_OTHER_RULES = (
    _Rule(_COUNTING, _COUNTS),
    _Rule(_ITEM, Named(Role.DESCRIPTION, 2)),
)

# Names that mislead word by word, in the spelling of `words`, and how surely they say it.
_NAMES: tuple[tuple[Named, tuple[str, ...]], ...] = (
    (Named(Role.DESCRIPTION, 9), (
        "description", "charge description", "item description", "procedure description", "service description", "desc",
        "standard charge description", "charge code description")),
    (Named(Role.DESCRIPTION, 8), ("diagnosis related group drg", "charge description master")),
    (Named(Role.DESCRIPTION, 6), (
        "service", "item", "item service", "procedure name", "name", "shoppable service", "medication name",
        "generic name", "hospital service", "drg title", "drg name", "item service package")),
    (Named(Role.CODE, 8, ""), (
        "code", "billing code", "associated code", "key associated code", "code value", "code or number",
        "cpt hcpcs drg code", "billing revenue service code", "charge code drg cpt")),
    (Named(Role.CODE, 8, "RC"), ("rc", "rev", "ub", "ub code", "revcd", "rev code", "default rev code")),
    (Named(Role.CODE, 5, "CDM"), (
        "cdm", "eap", "mnemonic", "svccd", "ivnum", "list id", "gl key", "id", "procedure", "proc cdm",
        "charge code package", "number", "procedure master", "charge #", "charge no")),
    (Named(Role.CODE_TYPE, 9), ("code type", "billing code type", "code system", "codetype", "recordtype", "code set")),
    (Named(Role.CODE_TYPE, 2), ("line type", "type")),
    (Named(Role.SETTING, 8), (
        "setting", "service setting", "patient class", "patient type", "inpatient outpatient", "ip op",
        "patient class description", "key iob selection", "iob selection")),
    (Named(Role.SETTING, 1), ("facility type", "area", "billing category", "level of care")),
    (Named(Role.BILLING_CLASS, 9), ("billing class",)),
    (Named(Role.MODIFIERS, 9), ("modifier", "default mod", "mod", "modifier code")),
    (Named(Role.PAYER, 9), ("payer", "payor", "payer name", "contract name", "insurance", "insurance plan s")),
    (Named(Role.PLAN, 8), ("plan", "plan name", "product", "product name", "health plan")),
    (Named(Role.METHODOLOGY, 8), (
        "methodology", "contracting method", "rate method", "rate type", "negotiation type", "contract type",
        "pricing method")),
    (Named(Role.NOTES, 7), (
        "additional generic note", "comment", "footnote", "note", "rate desc", "rate description", "internal note",
        "zero charge explanation")),
    (Named(Role.GROSS, 9), (
        "gross charge", "gross", "standard gross charge", "standard charge", "billed charge", "list price",
        "chargemaster price")),
    (Named(Role.GROSS, 7), ("price",)),
    (Named(Role.GROSS, 6), (
        "charge", "average of total charge", "average of charge total", "average total charge", "avg tot chg",
        "sum of average charge")),
    (Named(Role.GROSS, 3), ("rate",)),
    (Named(Role.GROSS, 2), ("total", "total charge", "total price")),
    (Named(Role.GROSS, 1), ("value",)),
    (Named(Role.CASH, 9), (
        "cash", "cash price", "discounted cash", "discounted cash price", "discounted cash charge", "self pay",
        "self pay cash price")),
    (Named(Role.NEGOTIATED, 9), (
        "negotiated rate", "negotiated charge", "payer specific negotiated charge", "payer specific negotiated rate",
        "plan negotiated rate", "plan expected reimbursement", "payer allowed amount", "contract charge",
        "contract rate", "standard charge dollar")),
    (Named(Role.MIN, 8), ("lowest price",)),
    (Named(Role.MAX, 8), ("highest price",)),
)  # fmt: skip
_WHOLE = {name: is_a for is_a, names in _NAMES for name in names}


def words(name: str) -> list[str]:
    """A name in lower-case words: camelCase split, simple plurals folded, ® and punctuation gone.

    Of a name without end only the beginning is looked at.
    """
    spaced = _CAMEL.sub(" ", name[:_LONGEST_NAME].replace("\N{REGISTERED SIGN}", "").replace("(R)", ""))
    return [_singular(part) for word in _WORD.findall(spaced.casefold()) for part in _parts(word)]


@lru_cache(maxsize=4096)
def _parts(word: str) -> tuple[str, ...]:
    """`minimumnegotiatedcharge` is three words, `ivprice1` is `iv price 1`."""
    if not 6 <= len(word) <= _LONGEST_WORD or word in _KNOWN or _singular(word) in _KNOWN:
        return (word,)
    for at in range(len(word) - 3, 2, -1):
        if _singular(word[at:]) in _KNOWN:
            before = _parts(word[:at])
            if all(_singular(part) in _KNOWN for part in before):
                return (*before, word[at:])
    found = _GLUED.fullmatch(word)
    return tuple(part for part in found.groups() if part) if found else (word,)


def _singular(word: str) -> str:
    plural = len(word) > 3 and word.endswith("s") and not word.endswith("ss") and word not in _NO_PLURAL
    return word[:-1] if plural else word


@lru_cache(maxsize=4096)
def named(name: str) -> Named:
    """What a column of this name most likely is."""
    spoken = [word for word in words(name) if word not in _HUNGARIAN] or words(name)
    found = frozenset(spoken)
    bare = [word for word in spoken if word not in _INPATIENT | _OUTPATIENT and not word.isdigit()]
    if _YEAR.fullmatch(name.strip()):
        is_a = Named(Role.GROSS, 1)  # a year's prices, if anything
    else:
        is_a = _WHOLE.get(" ".join(spoken)) or _WHOLE.get(" ".join(bare)) or _by_words(frozenset(bare))
    return replace(is_a, setting=_setting(found), average=bool(found & _AVERAGE))


def _setting(found: frozenset[str]) -> str | None:
    inside, outside = bool(found & _INPATIENT), bool(found & _OUTPATIENT)
    if inside == outside:
        return None
    return "inpatient" if inside else "outpatient"


def _by_words(found: frozenset[str]) -> Named:
    """The first rule that fits. `CPT charge` is no code and `charge code` no price."""
    coded, priced = bool(found & _CODE), bool(found & _PRICE)
    rules = (
        *_TEXT_RULES,
        *(_CODE_RULES if coded or not priced else ()),
        *_PAYER_RULES,
        *(() if coded else _PRICE_RULES),
        *_OTHER_RULES,
    )
    return next((rule.gives for rule in rules if rule.fits(found)), Named(Role.UNKNOWN))
