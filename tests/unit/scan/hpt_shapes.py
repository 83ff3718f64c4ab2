"""The shapes in which hospitals write cms-hpt.txt, each as a writer of records."""

import json
from collections.abc import Callable, Sequence
from random import Random

KEYS = ("location-name", "source-page-url", "mrf-url", "contact-name", "contact-email")
Record = dict[str, str]
Shape = Callable[[Sequence[Record], Random], bytes]


def _pairs(record: Record) -> list[tuple[str, str]]:
    return [(key, record.get(key, "")) for key in KEYS if key != "location-name" or record.get(key)]


def _text(
    records: Sequence[Record],
    line: Callable[[str, str], str] = "{}: {}".format,
    between: str = "\n",
    behind: str = "\n\n",
) -> str:
    return behind.join(between.join(line(key, value) for key, value in _pairs(record)) for record in records) + "\n"


def _one_line_each(records: Sequence[Record], _: Random) -> bytes:
    return _text(records, between=" ", behind="\n").encode()


def _cp1252(records: Sequence[Record], _: Random) -> bytes:
    """Where cp1252 cannot say it, or says it as UTF-8 would, nobody could tell: then UTF-8 with its mark."""
    text = _text(records)
    try:
        data = text.encode("cp1252")
        data.decode("utf-8")
    except UnicodeDecodeError:
        return data
    except UnicodeEncodeError:
        pass
    return text.encode("utf-8-sig")


def _odd_case(records: Sequence[Record], random: Random) -> bytes:
    ways = (str.upper, str.title, str.capitalize)
    return _text(records, lambda key, value: f"{random.choice(ways)(key)}: {value}").encode()


def _loose_keys(records: Sequence[Record], random: Random) -> bytes:
    def line(key: str, value: str) -> str:
        joint, colon = random.choice(("_", " ", "\u2013", "")), random.choice((" :", ":", ": ", "\t:\t"))
        return key.replace("-", joint) + colon + value

    return _text(records, line).encode()


def _quoted(opening: str, closing: str) -> Shape:
    return lambda records, _: _text(records, lambda key, value: f"{key}: {opening}{value}{closing}").encode()


def _markdown(records: Sequence[Record], _: Random) -> bytes:
    def line(key: str, value: str) -> str:
        if key == "mrf-url" and value and " " not in value:
            value = f"[standard charges]({value})"
        return f"- **{key}:** {value}"

    return ("# Price transparency\n\n" + _text(records, line)).encode()


def _in_angles(records: Sequence[Record], _: Random) -> bytes:
    return _text(records, lambda key, value: f"{key}: <{value}>" if key.endswith("url") else f"{key}: {value}").encode()


def _without_scheme(records: Sequence[Record], _: Random) -> bytes:
    return _text(records, lambda key, value: f"{key}: {value.removeprefix('https://')}").encode()


def _prose_around(records: Sequence[Record], _: Random) -> bytes:
    said = "This page follows 45 CFR 180.50.\nQuestions? Call us.\n\n"
    return (said + _text(records, behind="\n\n* * *\nThe next hospital of our system\n\n") + said).encode()


def _names_last(records: Sequence[Record], _: Random) -> bytes:
    """Each record begins with its address."""
    lines = [
        "\n".join(f"{key}: {record.get(key, '')}" for key in ("mrf-url", "location-name", "source-page-url"))
        for record in records
    ]
    return "\n\n".join(lines).encode()


def _json(records: Sequence[Record], _: Random) -> bytes:
    told = [{key: record[key] for key in KEYS if key in record} for record in records]
    return json.dumps({"hospitals": told}).replace("/", "\\/").encode()


SHAPES: dict[str, Shape] = {
    "as_cms_says": lambda records, _: _text(records).encode(),
    "no_blank_lines": lambda records, _: _text(records, behind="\n").encode(),
    "blank_lines_between_fields": lambda records, _: _text(records, between="\n\n").encode(),
    "all_on_one_line": lambda records, _: _text(records, between=" ", behind=" ").encode(),
    "one_line_each": _one_line_each,
    "commas_between_fields": lambda records, _: _text(records, between=", ", behind="; ").encode(),
    "line_breaks_lost": lambda records, _: _text(records, between="", behind="").encode(),
    "windows_line_ends": lambda records, _: _text(records).replace("\n", "\r\n").encode(),
    "old_mac_line_ends": lambda records, _: _text(records).replace("\n", "\r").encode(),
    "byte_order_mark": lambda records, _: _text(records).encode("utf-8-sig"),
    "utf16_little_endian": lambda records, _: b"\xff\xfe" + _text(records).encode("utf-16-le"),
    "utf16_big_endian": lambda records, _: b"\xfe\xff" + _text(records).encode("utf-16-be"),
    "cp1252": _cp1252,
    "odd_case": _odd_case,
    "loose_keys": _loose_keys,
    "curly_quotes": _quoted("“", "”"),
    "straight_quotes": _quoted('"', '"'),
    "json": _json,
    "markdown": _markdown,
    "in_angles": _in_angles,
    "without_scheme": _without_scheme,
    "values_on_the_next_line": lambda records, _: _text(records, "{}:\n  {}".format).encode(),
    "line_breaks_as_tags": lambda records, _: _text(records).replace("\n", "<br />").encode(),
    "prose_around": _prose_around,
    "names_last": _names_last,
}
