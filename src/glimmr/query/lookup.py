"""How a code is found: its normalised forms, and the SQL from a code to the amounts published for it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from glimmr.query.sources import relation
from glimmr.stores.lake import Published

CHARGE_KINDS: Mapping[str, str] = {
    "gross": "gross_charge",
    "cash": "discounted_cash",
    "min": "min_negotiated",
    "max": "max_negotiated",
}
RATE_KINDS: Mapping[str, str] = {
    "negotiated": "negotiated_dollar",
    "estimated": "estimated_amount",
    "median": "median_amount",
    "p10": "p10_amount",
    "p90": "p90_amount",
}

MATCHES = """
    (hcpcs = $raw OR ms_drg = $drg OR ndc = $ndc OR rev_code = $revenue OR upper(code) = $raw
     OR list_contains(list_transform(codes, lambda pair: upper(pair.code)), $raw))
"""

_SCOPE = """
    CREATE OR REPLACE TEMP TABLE scope AS
    SELECT h.file_id, h.hospital_id, h.ccn, h.name, h.city, h.state, f.last_updated_on, f.url
    FROM file_hospitals AS h JOIN files AS f USING (file_id)
    WHERE h.current AND ($state IS NULL OR upper(h.state) = $state)
"""

_HITS = """
    CREATE OR REPLACE TEMP TABLE hits AS
    SELECT *
    FROM ({charges})
    WHERE {matches} AND ($setting IS NULL OR setting IN ($setting, 'both'))
"""

_TERMS = """
    CREATE OR REPLACE TEMP TABLE terms AS
    SELECT *
    FROM ({rates}) SEMI JOIN hits USING (file_id, charge_id)
    WHERE $payer IS NULL OR contains(lower(concat_ws(' ', payer_name, plan_name)), $payer)
"""

_OF_CHARGE = """
    SELECT file_id, charge_id, NULL AS rate_id, {place} AS place, '{kind}' AS kind, {column} AS amount,
           NULL AS percentage, NULL AS algorithm, NULL AS payer_name, NULL AS plan_name, NULL AS methodology,
           source_pos, flags
    FROM hits WHERE {column} IS NOT NULL AND $payer IS NULL
"""

_OF_RATE = """
    SELECT file_id, charge_id, rate_id, {place}, '{kind}', {column}, NULL, NULL, payer_name, plan_name, methodology,
           source_pos, flags
    FROM terms WHERE {column} IS NOT NULL
"""

_NEGOTIATED = """
    SELECT file_id, charge_id, rate_id, {place}, '{kind}', {column}, negotiated_percentage, negotiated_algorithm,
           payer_name, plan_name, methodology, source_pos, flags
    FROM terms
    WHERE {column} IS NOT NULL OR negotiated_percentage IS NOT NULL OR negotiated_algorithm IS NOT NULL
"""

_PRICES = """
    SELECT s.hospital_id, s.ccn, s.name AS hospital, s.city, s.state,
           h.code, h.code_type, h.codes, h.description, h.setting,
           a.payer_name AS payer, a.plan_name AS plan, a.kind, a.amount, a.percentage, a.algorithm, a.methodology,
           s.last_updated_on, h.member, a.source_pos, s.url, h.file_id,
           list_sort(list_distinct(list_concat(h.flags, a.flags))) AS flags
    FROM ({amounts}) AS a JOIN hits AS h USING (file_id, charge_id) JOIN scope AS s USING (file_id)
    ORDER BY s.state, s.name, s.hospital_id, h.file_id, h.charge_id, a.rate_id NULLS FIRST, a.place
    LIMIT $limit
"""


def _amounts() -> str:
    parts = [(_OF_CHARGE, kind, column) for kind, column in CHARGE_KINDS.items()]
    parts += [(_NEGOTIATED if kind == "negotiated" else _OF_RATE, kind, column) for kind, column in RATE_KINDS.items()]
    texts = [part.format(place=place, kind=kind, column=column) for place, (part, kind, column) in enumerate(parts)]
    return " UNION ALL ".join(texts)


def scope(connection: duckdb.DuckDBPyConnection, state: str | None) -> list[str]:
    """The file_ids that are current for a hospital in `state` (None: anywhere); the table `scope` holds whose."""
    connection.execute(_SCOPE, {"state": state.upper() if state else None})
    return [row[0] for row in connection.execute("SELECT DISTINCT file_id FROM scope ORDER BY 1").fetchall()]


def look_up(
    connection: duckdb.DuckDBPyConnection,
    published: Published,
    file_ids: Sequence[str],
    code: str,
    *,
    payer: str | None,
    setting: str | None,
    limit: int,
) -> list[dict[str, Any]]:
    """At most `limit` amounts of a code in those price lists, ordered by state, hospital, place in the file.

    Only the objects of these price lists are opened, and only the rates of those that have the code.
    """
    charges = relation("charges", _some(published.charges, file_ids))
    values = {**forms(code), "setting": setting.lower() if setting else None}
    connection.execute(_HITS.format(charges=charges, matches=MATCHES), values)
    hit = [row[0] for row in connection.execute("SELECT DISTINCT file_id FROM hits ORDER BY 1").fetchall()]
    folded = payer.lower() if payer else None
    connection.execute(_TERMS.format(rates=relation("rates", _some(published.rates, hit))), {"payer": folded})
    result = connection.execute(_PRICES.format(amounts=_amounts()), {"payer": folded, "limit": limit})
    names = [str(column[0]) for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _some(objects: Mapping[str, list[str]], file_ids: Sequence[str]) -> list[str]:
    return [uri for file_id in file_ids for uri in objects.get(file_id, ())]


def forms(code: str) -> dict[str, str | None]:
    """A code as each column holds it: upper case; MS-DRG with 3 digits; revenue code with 4; NDC with 11."""
    raw = code.strip().upper()
    digits = raw.isascii() and raw.isdigit()
    return {
        "raw": raw,
        "drg": raw.zfill(3) if digits and len(raw) <= 3 else None,
        "revenue": raw.zfill(4) if digits and 3 <= len(raw) <= 4 else None,
        "ndc": _ndc(raw),
    }


def _ndc(raw: str) -> str | None:
    """An NDC as 11 digits, 5-4-2 (FDA: 10-digit codes are 4-4-2, 5-3-2 or 5-4-1; only the hyphens tell which)."""
    if re.fullmatch(r"[0-9]{11}", raw):
        return raw
    if re.fullmatch(r"[0-9]{4,5}-[0-9]{3,4}-[0-9]{1,2}", raw) and len(raw) >= 12:
        return "".join(part.zfill(width) for part, width in zip(raw.split("-"), (5, 4, 2), strict=True))
    return None
