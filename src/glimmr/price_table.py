"""The price table: every column of `charges`, `rates`, `rejects`, `files` and `file_hospitals`, told once.

Item = one record of a CSV, one element of a JSON array. Charge = item x setting, with what it costs whoever pays.
Rate = what one payer-plan negotiated for a charge. A charge is not repeated for its payers, and nothing is exploded
by code. Money is decimal128(18, 6): never a float.
"""

from dataclasses import dataclass

import pyarrow as pa

MONEY = pa.decimal128(18, 6)
MONEY_LIMIT = 10**12  # an amount at or beyond it keeps its text in `extra` with a flag
TEXTS = pa.list_(pa.string())
CODES = pa.list_(pa.struct([pa.field("code", pa.string()), pa.field("type", pa.string())]))
EXTRA = pa.map_(pa.string(), pa.string())


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, Arrow type, whether it may be null, and what it means."""

    name: str
    type: pa.DataType
    nullable: bool
    text: str


CHARGES: tuple[Column, ...] = (
    Column("file_id", pa.string(), False, "sha256 (hex) of the bytes as served, container included"),
    Column("charge_id", pa.int64(), False, "ordinal in the file, dense from 0, in source order"),
    Column("member", pa.string(), True, "path inside the container (`a.zip!b.csv`), NULL when there is none"),
    Column("source_pos", pa.string(), False, "where it was published: `R1234`, `/sci/12/sc/0`, `Sheet1!R9`"),
    Column("records", pa.int32(), False, "source records it stands for (tall records that differ only in the payer)"),
    Column("rates", pa.int32(), False, "number of its rows in `rates`"),
    Column("description", pa.string(), True, "the item or service, as published"),
    Column("code", pa.string(), True, "the primary code, as published"),
    Column("code_type", pa.string(), True, "the primary code's type, upper case"),
    Column("codes", CODES, False, "all code pairs, as published (type upper case); empty when there are none"),
    Column("hcpcs", pa.string(), True, "HCPCS or CPT code, upper case"),
    Column("ms_drg", pa.string(), True, "MS-DRG, 3 digits"),
    Column("ndc", pa.string(), True, "NDC, 11 digits"),
    Column("rev_code", pa.string(), True, "revenue code, 4 digits"),
    Column("setting", pa.string(), True, "inpatient, outpatient or both"),
    Column("billing_class", pa.string(), True, "facility, professional or both"),
    Column("modifiers", TEXTS, True, "modifier codes"),
    Column("drug_unit", MONEY, True, "drug units the price is for"),
    Column("drug_type", pa.string(), True, "drug unit type: GR ME ML UN F2 EA GM"),
    Column("gross_charge", MONEY, True, "the chargemaster price, US dollars"),
    Column("discounted_cash", MONEY, True, "the price for who pays cash, US dollars"),
    Column("min_negotiated", MONEY, True, "the lowest negotiated rate, de-identified, US dollars"),
    Column("max_negotiated", MONEY, True, "the highest negotiated rate, de-identified, US dollars"),
    Column("generic_notes", pa.string(), True, "notes on the item"),
    Column("extra", EXTRA, True, "columns nobody knows and texts that are no number, by published column name"),
    Column("flags", TEXTS, False, "what is odd about the row, from the closed list"),
)

RATES: tuple[Column, ...] = (
    Column("file_id", pa.string(), False, "as in `charges`"),
    Column("charge_id", pa.int64(), False, "its charge; rows stand in charge order"),
    Column("rate_id", pa.int64(), False, "ordinal in the file, dense from 0"),
    Column("source_pos", pa.string(), False, "tall `R1235`, wide `R1234C57`, JSON `/sci/12/sc/0/p/3`"),
    Column("payer_name", pa.string(), True, "as published"),
    Column("plan_name", pa.string(), True, "as published; NULL with flag `header_no_plan` when the header has none"),
    Column("negotiated_dollar", MONEY, True, "the negotiated rate, US dollars"),
    Column("negotiated_percentage", MONEY, True, "the negotiated rate as percent of something: 70.5 is 70.5 %"),
    Column("negotiated_algorithm", pa.string(), True, "the negotiated rate as a formula or sentence"),
    Column(
        "methodology", pa.string(), True, "case rate, fee schedule, percent of total billed charges, per diem, other"
    ),
    Column("estimated_amount", MONEY, True, "average dollar amount paid (templates 2.x), US dollars"),
    Column("median_amount", MONEY, True, "median amount allowed (template 3.0), US dollars"),
    Column("p10_amount", MONEY, True, "10th percentile of the amounts allowed, US dollars"),
    Column("p90_amount", MONEY, True, "90th percentile of the amounts allowed, US dollars"),
    Column("allowed_count_min", pa.int32(), True, "claims behind the amounts, at least: `1 through 10` is 1"),
    Column("allowed_count_max", pa.int32(), True, "claims behind the amounts, at most: `1 through 10` is 10"),
    Column("payer_notes", pa.string(), True, "notes on the rate (tall files: the record's generic notes)"),
    Column("extra", EXTRA, True, "as in `charges`"),
    Column("flags", TEXTS, False, "as in `charges`"),
)

REJECTS: tuple[Column, ...] = (
    Column("file_id", pa.string(), False, "as in `charges`"),
    Column("member", pa.string(), True, "as in `charges`"),
    Column("position", pa.string(), False, "where the item stands"),
    Column("reason", pa.string(), False, "why it is in no row"),
    Column("raw", pa.string(), False, "the item as published, at most 2 kB"),
)

FILES: tuple[Column, ...] = (
    Column("file_id", pa.string(), False, "sha256 (hex) of the bytes as served"),
    Column("url", pa.string(), True, "the address it came from, tokens redacted"),
    Column("template_version", pa.string(), True, "the CMS template version the file claims"),
    Column("format", pa.string(), True, "what the prices were read from: csv, json, xlsx, xls, xml …"),
    Column("hospital_name", pa.string(), True, "as published in the file"),
    Column("last_updated_on", pa.date32(), True, "as published in the file"),
    Column("fetched_at", pa.timestamp("us", tz="UTC"), True, "when these bytes were brought home"),
    Column("charges", pa.int64(), False, "rows in `charges`"),
    Column("rates", pa.int64(), False, "rows in `rates`"),
    Column("parser_version", pa.string(), False, "the parser that read it"),
)

FILE_HOSPITALS: tuple[Column, ...] = (
    Column("file_id", pa.string(), False, "as in `files`"),
    Column("hospital_id", pa.string(), False, "the CCN, or a stable derived id where there is none"),
    Column("ccn", pa.string(), True, "CMS certification number: zero-padded text that may hold letters"),
    Column("name", pa.string(), True, "the hospital's name"),
    Column("city", pa.string(), True, "city"),
    Column("state", pa.string(), True, "two-letter state or territory"),
    Column("zip", pa.string(), True, "ZIP code"),
    Column("current", pa.bool_(), False, "whether this file is the hospital's current one at that address"),
)

TABLES: dict[str, tuple[Column, ...]] = {
    "charges": CHARGES,
    "rates": RATES,
    "files": FILES,
    "file_hospitals": FILE_HOSPITALS,
}

FLAGS: dict[str, str] = {
    "sentinel_nine_nines": "999999999 was published for 'unknown'; the amount is NULL",
    "zero_amount": "an amount is exactly zero",
    "negative": "an amount is below zero",
    "currency_text": "an amount was published with $ or thousands separators",
    "bad_number": "an amount was published as text that is no number; it is verbatim in `extra`",
    "rounded": "an amount has more than 6 decimal places, or is too large; its text is in `extra`",
    "recoded": "the record was not UTF-8; it was read as cp1252 or latin-1",
    "unbalanced_quote": "a quote was never closed: its line was read on its own; or text follows a closing quote",
    "unknown_code_type": "a code type is not in CMS's list",
    "unknown_setting": "the setting is not inpatient, outpatient or both",
    "unknown_methodology": "the methodology is not in CMS's list",
    "unknown_billing_class": "the billing class is not professional, facility or both",
    "modifier_row": "the record prices a modifier, not an item (CMS templates from 2.2)",
    "pct_fraction": "a percentage is 1 or less: perhaps a fraction",
    "header_alias": "a column was recognised under another name than CMS's",
    "short_row": "the record has fewer cells than the header",
    "long_row": "the record has more cells than the header",
    "min_gt_max": "the minimum is above the maximum",
    "header_no_plan": "the wide header names a payer but no plan",
    "bad_count": "the count is neither a number nor `1 through 10`; it is verbatim in `extra`",
    "nul_removed": "NUL bytes stood in the record; they were taken out",
}


def schema(columns: tuple[Column, ...]) -> pa.Schema:
    """The Arrow schema of one table."""
    return pa.schema([pa.field(c.name, c.type, nullable=c.nullable) for c in columns])
