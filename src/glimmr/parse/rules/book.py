"""Every rule of CMS's templates in one table: code, severity, what it says, whose rule it is, for which edition."""

from dataclasses import dataclass

# The data dictionary's editions, oldest first. The `2.0.0` that every 2.x CSV says of itself covers the first three.
EDITIONS = ("2.0", "2.1", "2.2", "3.0")


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of finding: stable code, severity (error, warning, info), what it says, and whose rule it is.

    It holds for the editions from `since` to `until`; None is any. `elsewhere` is its severity in a file that follows
    no template of CMS's and so breaks none of its rules (None: the same).
    """

    code: str
    severity: str
    text: str
    source: str
    since: str | None = None
    until: str | None = None
    elsewhere: str | None = None

    def holds_for(self, edition: str | None) -> bool:
        """Whether the rule holds for a file of this edition (None: of no template)."""
        if self.since is None and self.until is None:
            return True
        if edition is None:
            return False
        at = EDITIONS.index(edition)
        first = EDITIONS.index(self.since) if self.since else 0
        last = EDITIONS.index(self.until) if self.until else len(EDITIONS) - 1
        return first <= at <= last


_CSV = "CMS data dictionary, CSV README"
_JSON = "CMS data dictionary, JSON schema"
_BOTH = "CMS data dictionary, CSV README and JSON schema"
_GENERAL = f"{_BOTH}: general data elements"
_ITEMS = f"{_BOTH}: standard charge, item/service and coding data elements"
_NUMERIC = f"{_CSV}, general instructions: numeric values are positive numbers and nothing else"
_ALERT = "CMS hpt-validator, alerts"


def _conditional(number_2: int | None, text_3: str | None = None) -> str:
    """Where a conditional requirement stands: its number in the 2.2 README, or that 3.0 added it."""
    if number_2 is None:
        return f"CMS data dictionary 3.0, conditional requirements: {text_3}"
    return f"CMS data dictionary, conditional requirements: no. {number_2} of 2.2" + (f"; {text_3}" if text_3 else "")


def _error(code: str, text: str, source: str, since: str = "2.0", until: str | None = None) -> Rule:
    return Rule(code, "error", text, source, since, until)


def _warning(code: str, text: str, source: str, since: str = "2.0", until: str | None = None) -> Rule:
    return Rule(code, "warning", text, source, since, until)


_HEADER_RULES = (
    _error("GL-HEADER-MISSING", "a general data element (CSV rows 1 and 2, JSON root) is missing", _GENERAL),
    _error("GL-HEADER-BLANK", "a general data element has no value", _GENERAL),
    _error(
        "GL-DATE", "last_updated_on is no date as CMS wants it: YYYY-MM-DD (a CSV may also say MM/DD/YYYY)", _GENERAL
    ),
    _error("GL-STATE", "the license's state is none of the 59 two-letter codes of states and territories", _GENERAL),
    _error("GL-ATTESTATION-TEXT", "the attestation (2.x: affirmation) is not CMS's sentence, word for word", _GENERAL),
    _error(
        "GL-ATTESTATION-VALUE", "the attestation (2.x: affirmation) is confirmed by neither true nor false", _GENERAL
    ),
    _warning("GL-ATTESTATION-FALSE", "the attestation (2.x: affirmation) says false", _ALERT),
    Rule("GL-UNKNOWN-VERSION", "error", "the template version is none of CMS's", _GENERAL, None, None, "warning"),
    _error(
        "GL-VERSION-MISMATCH",
        "the version is not that of the template the file follows: it has elements that only 3.0 has",
        f"{_ALERT}: version mismatch",
    ),
    _error("GL-HEADER-ROW", "a CSV's general data belong into rows 1 and 2, its column names into row 3", _CSV),
    _error("GL-DELIMITER", "a CSV's cells are separated by commas", f"{_CSV}, general instructions"),
    _error("GL-FILE-FORMAT", "CMS takes CSV and JSON, no other format", "45 CFR 180.50(c); CMS templates"),
    _error("GL-COLUMN-MISSING", "a column that the template requires is missing", _ITEMS),
    _error("GL-LAYOUT", "the columns are of neither the tall nor the wide template, or of both", _CSV),
    Rule("GL-DUPLICATE-COLUMN", "error", "a column occurs more than once", _CSV, None, None, "warning"),
    Rule(
        "GL-PLACEHOLDER",
        "error",
        "a placeholder of the template was left in a header",
        f"{_CSV}, additional CSV placeholder notes",
    ),
    Rule(
        "GL-SECTION",
        "error",
        "a further header stands within the table; what follows it was read under it",
        f"{_CSV}: one header in row 3",
        None,
        None,
        "info",
    ),
    Rule("GL-NO-HEADER", "warning", "no record names the columns; texts and dollar amounts were told apart", "Glimmr"),
    Rule(
        "GL-NOT-TEMPLATE",
        "error",
        "the file follows none of CMS's templates, which are binding since July 1, 2024; no other rule was asked",
        "45 CFR 180.50(c)",
    ),
    _warning("GL-NO-PAYER-CHARGES", "no payer has a negotiated charge in the whole file", _ALERT),
    Rule("GL-NO-ITEMS", "error", "there is no item or service in the file", _BOTH),
    _error("GL-JSON-TYPE", "a JSON value has another type than the schema says", _JSON),
    _error("GL-MODIFIER-INFORMATION", "modifier_information lacks a value that it needs", _JSON, "2.2"),
    _error(
        "GL-MODIFIER-SETTING", "the setting of modifier_information is not inpatient, outpatient or both", _JSON, "3.0"
    ),
)
_VALUE_RULES = (
    _error("GL-NULL-TOKEN", "an indicator such as N/A stands where CMS wants the value left out", _CSV),
    _error(
        "GL-SPELLING",
        "a value is another spelling of one of CMS's, which its validator refuses (in JSON case counts)",
        _ITEMS,
    ),
    _error("GL-NUMBER-TEXT", "a JSON number is published as a string", _JSON),
    _error("GL-DRUG-UNIT-NUMBER", "the drug's unit is a number; in 2.2 it is a string", f"{_JSON} 2.2", "2.2", "2.2"),
    _error("GL-DRUG-UNIT-TEXT", "the drug's unit is a string; in 3.0 it is a number", f"{_JSON} 3.0", "3.0"),
    _error("GL-EMPTY-TEXT", "an empty string stands where a text or nothing at all belongs", f"{_JSON} 3.0", "3.0"),
    _error(
        "GL-COUNT-FORMAT", 'the count is not written "0", "1 through 10" or as a whole number from 11', _ITEMS, "3.0"
    ),
    _error("GL-DRUG-TYPE", "the drug's unit type is none of GR, ME, ML, UN, F2, EA, GM", _ITEMS, "2.2"),
    _error("GL-CODE-TYPE-3", "the code types CMG and MS-LTC-DRG came with template 3.0", _ITEMS, "2.0", "2.2"),
    _error("GL-DESCRIPTION-MISSING", "the description is blank", _ITEMS),
    _error("GL-SETTING-MISSING", "the setting is blank", _ITEMS),
    _warning("GL-ESTIMATE-IN-3", "estimated_amount was taken out of the template with 3.0", _ALERT, "3.0"),
)
_CONDITIONAL_RULES = (
    _error("GL-PAYER-MISSING", "a negotiated charge has no payer name", _conditional(1, "kept in 3.0")),
    _error("GL-PLAN-MISSING", "a negotiated charge has no plan name", _conditional(1, "kept in 3.0")),
    _error("GL-METHODOLOGY-MISSING", "a negotiated charge has no methodology", _conditional(1, "kept in 3.0")),
    _error("GL-CODE-MISSING", "an item has no code", _conditional(2, "kept in 3.0")),
    _error("GL-CODE-WITHOUT-TYPE", "a code has no type", _conditional(3, "kept in 3.0")),
    _error("GL-TYPE-WITHOUT-CODE", "a code type has no code", _conditional(3, "kept in 3.0")),
    _error(
        "GL-OTHER-WITHOUT-NOTES", "the methodology is `other`, and no notes explain it", _conditional(4, "kept in 3.0")
    ),
    _error(
        "GL-ITEM-WITHOUT-CHARGE",
        "an item has none of: gross charge, discounted cash price, negotiated dollar, percentage, algorithm",
        _conditional(5, "kept in 3.0"),
    ),
    _error(
        "GL-DOLLAR-WITHOUT-MIN-MAX",
        "a charge is negotiated in dollars, and its minimum or maximum is missing",
        _conditional(6, "kept in 3.0"),
    ),
    _error(
        "GL-ESTIMATE-MISSING",
        "a charge is negotiated as percentage or algorithm only, and its estimated_amount is missing",
        _conditional(7),
        "2.2",
        "2.2",
    ),
    _error("GL-NDC-WITHOUT-DRUG", "an NDC has neither drug unit nor unit type", _conditional(8, "kept in 3.0"), "2.2"),
    _error(
        "GL-MODIFIER-EMPTY",
        "a modifier without an item needs notes or a negotiated dollar, percentage or algorithm",
        _conditional(9, "kept in 3.0"),
        "2.2",
    ),
    _error(
        "GL-DRUG-PAIR",
        "of drug unit and drug unit type one is there without the other",
        _conditional(10, "kept in 3.0"),
        "2.2",
    ),
    _error(
        "GL-COUNT-MISSING",
        "a charge is negotiated as percentage or algorithm, and its count of allowed amounts is missing",
        _conditional(None, "count of allowed amounts"),
        "3.0",
    ),
    *(
        _error(
            f"GL-{code}-MISSING",
            f"a charge is negotiated as percentage or algorithm, its count is not 0, and its {name} is missing",
            _conditional(None, "median, 10th and 90th percentile"),
            "3.0",
        )
        for code, name in (("MEDIAN", "median_amount"), ("P10", "10th_percentile"), ("P90", "90th_percentile"))
    ),
    _error(
        "GL-ZERO-COUNT-WITHOUT-NOTES",
        "the count of allowed amounts is 0, and no notes explain it",
        _conditional(None, "count of allowed amounts is 0"),
        "3.0",
    ),
    _error(
        "GL-PAYER-WITHOUT-CHARGE",
        "a payer and plan are named, and no negotiated dollar, percentage or algorithm",
        _conditional(None, "payer-specific charge requirement"),
        "3.0",
    ),
)
_FILE_RULES = (
    Rule(
        "GL-FILE-NAME",
        "warning",
        "the file's name is not `<ein>_<hospital-name>_standardcharges.csv` or `.json`",
        "45 CFR 180.50(d)(5)",
    ),
)
# What CMS says of the flags a row can have: severity in its templates, whose rule, and the severity elsewhere.
FLAG_SOURCES: dict[str, tuple[str, str, str]] = {
    "sentinel_nine_nines": ("warning", f"{_ALERT}: nine nines, since 2025-05-22", "warning"),
    "zero_amount": ("error", _NUMERIC, "info"),
    "negative": ("error", _NUMERIC, "warning"),
    "currency_text": ("error", _NUMERIC, "info"),
    "bad_number": ("error", _NUMERIC, "warning"),
    "bad_count": ("error", _ITEMS, "warning"),
    "rounded": ("warning", "Glimmr", "warning"),
    "recoded": ("warning", "Glimmr", "warning"),
    "unbalanced_quote": ("error", "RFC 4180, which the CSV README names", "error"),
    "unknown_code_type": ("error", _ITEMS, "warning"),
    "unknown_setting": ("error", _ITEMS, "warning"),
    "unknown_methodology": ("error", _ITEMS, "warning"),
    "unknown_billing_class": ("warning", f"{_CSV}: optional column headers", "warning"),
    "modifier_row": ("info", "Glimmr", "info"),
    "pct_fraction": ("warning", f"{_CSV}, additional notes for percentage: 70.5, not .705", "warning"),
    "header_alias": ("error", _ITEMS, "info"),
    "short_row": ("warning", "RFC 4180, which the CSV README names", "warning"),
    "long_row": ("error", "RFC 4180, which the CSV README names", "warning"),
    "min_gt_max": ("warning", "Glimmr", "warning"),
    "header_no_plan": ("error", f"{_CSV}, additional CSV placeholder notes", "warning"),
}
HEADER_CODES = frozenset(rule.code for rule in _HEADER_RULES)
CMS_RULES: tuple[Rule, ...] = (*_HEADER_RULES, *_VALUE_RULES, *_CONDITIONAL_RULES, *_FILE_RULES)
