"""Money is exactly what was published, rounded half-even to 6 places."""

import tempfile
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Context, Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glimmr.parse.tables.amounts import amount, blanks_to_null, of_numbers, of_texts, valid_mask
from glimmr.parse.tables.flags import names_of

from .papers import csv_text, document, item, read, xlsx

DIGITS = st.text("0123456789", min_size=1, max_size=19)
NUMBERS = st.builds(
    lambda sign, whole, part, power: f"{sign}{whole}{'.' + part if part else ''}{power}",
    st.sampled_from(["", "-"]),
    DIGITS,
    st.one_of(st.just(""), DIGITS),
    st.sampled_from(["", "", "", "e2", "E-3", "e+05"]),
)


def true_value(text: str) -> Decimal | None:
    exact = Decimal(text)
    if abs(exact) >= 10**12 or int(abs(exact)) == 999_999_999:
        return None
    rounded = exact.quantize(Decimal("0.000001"), context=Context(prec=200, rounding=ROUND_HALF_EVEN))
    return None if abs(rounded) >= 10**12 else rounded


@settings(deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=20))
def test_every_amount_is_the_published_text_rounded_half_even(texts: list[str]) -> None:
    amounts = of_texts(pa.array(texts))
    assert amounts.values.to_pylist() == [true_value(text) for text in texts]
    kept = set() if amounts.kept is None else set(amounts.kept.tolist())
    for row, text in enumerate(texts):
        value = true_value(text)
        changed = value != Decimal(text) and int(abs(Decimal(text))) != 999_999_999
        assert (row in kept) == changed


@settings(deadline=None)
@given(
    st.lists(st.one_of(NUMBERS, st.sampled_from(["", "N/A", "$1,234.50", " 7 ", "75% of BC", "(3.10)"])), max_size=20)
)
def test_an_odd_text_among_numbers_changes_no_number(texts: list[str]) -> None:
    together = of_texts(pa.array(texts, pa.string())).values.to_pylist()
    alone = [amount(text)[0] for text in texts]
    assert together == [None if micro is None else Decimal(micro).scaleb(-6) for micro in alone]


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.decimals(-(10**8), 10**8, places=6)), max_size=20))
def test_a_json_number_is_as_exact_as_its_text(values: list[Decimal | None]) -> None:
    short = [v if v is None or len(str(v)) <= 15 else Decimal("1.5") for v in values]
    found = of_numbers([None if v is None else float(v) for v in short])
    assert found.values.to_pylist() == short


@pytest.mark.parametrize(
    ("text", "value", "flags", "kept"),
    [
        ("$1,234.50", "1234.50", ["currency_text"], False),
        ("1,234", "1234", ["currency_text"], False),
        ("(5.25)", "-5.25", ["negative", "currency_text"], False),
        (" 12 ", "12", [], False),
        ("0", "0", ["zero_amount"], False),
        ("0.00", "0", ["zero_amount"], False),
        ("-1", "-1", ["negative"], False),
        (".5", "0.5", [], False),
        ("7.", "7", [], False),
        ("999999999", None, ["sentinel_nine_nines"], False),
        ("999999998." + "9" * 40, "999999999", ["rounded"], True),
        ("(1." + "0" * 40 + "1)", "-1", ["negative", "currency_text", "rounded"], True),
        ("1e-999999", "0", ["zero_amount", "rounded"], True),
        ("0e99", "0", ["zero_amount"], False),
        ("999999999.99", None, ["sentinel_nine_nines"], False),
        ("0.00277", "0.00277", [], False),
        ("379707196.05", "379707196.05", [], False),
        ("3720.4599999999996", "3720.46", ["rounded"], True),
        ("0.0000005", "0", ["zero_amount", "rounded"], True),
        ("0.0000015", "0.000002", ["rounded"], True),
        ("1000000000000", None, ["rounded"], True),
        ("1e400", None, ["rounded"], True),
        ("1_000", None, ["bad_number"], True),
        ("inf", None, ["bad_number"], True),
        ("75% of BC", None, ["bad_number"], True),
        ("$1,200 per day", None, ["bad_number"], True),
        ("OPEN", None, ["bad_number"], True),
        ("N/A", None, [], True),
        ("nan", None, [], True),
        ("-", None, [], True),
        ("  ", None, [], False),
    ],
)
def test_a_text_gives_its_value_its_flags_and_is_kept_when_the_value_does_not_say_it(
    text: str, value: str | None, flags: list[str], kept: bool
) -> None:
    micro, bits, keep = amount(text)
    assert micro == (None if value is None else int(Decimal(value).scaleb(6)))
    assert sorted(names_of(bits)) == sorted(flags)
    assert keep is kept
    vector = of_texts(pa.array([text, None, "1.25"]))
    assert vector.values[0].as_py() == (None if value is None else Decimal(value))
    assert vector.values.to_pylist()[1:] == [None, Decimal("1.25")]


@pytest.mark.parametrize("others", [[], ["$1"]])  # alone by the fast way, beside `$1` by the other
def test_a_plus_sign_makes_no_number_whatever_stands_beside_it(others: list[str]) -> None:
    amounts = of_texts(pa.array(["+5", "1e+2", *others]))
    assert amounts.values.to_pylist()[:2] == [None, Decimal(100)]
    assert amounts.bits is not None and names_of(int(amounts.bits[0])) == ["bad_number"]


def test_what_is_too_small_to_be_a_double_is_rounded_not_zero() -> None:
    amounts = of_texts(pa.array(["1e-400"]))
    assert amounts.values.to_pylist() == [Decimal(0)]
    assert amounts.kept is not None and amounts.kept.tolist() == [0]
    assert amounts.bits is not None and "rounded" in names_of(int(amounts.bits[0]))


@pytest.mark.parametrize("text", ["$(3.00)", "($3.00)", "(3.00)", "$ (3.00)", "( 3.00 )"])
def test_parentheses_are_negative_inside_or_outside_the_currency_sign(text: str) -> None:
    assert of_texts(pa.array([text])).values.to_pylist() == [Decimal(-3)]


# Any number of up to 38 digits, as files of every format publish it.
PUBLISHED = st.one_of(
    st.builds("{}{}.{}".format, st.sampled_from(["", "-"]), st.integers(0, 10**19).map(str), DIGITS),
    st.integers(-(10**37), 10**37).map(str),
    st.builds("0.{}{}".format, st.integers(0, 18).map("0".__mul__), DIGITS),
    st.builds("{}e{}".format, st.integers(-(10**9), 10**9), st.integers(-12, 6)),
    st.builds("{}.{}{}".format, st.integers(0, 999_999), st.text("0123456789", min_size=6, max_size=6),
              st.sampled_from(["5", "50", "500000001", "4999999999", "49", "51"])),
)  # fmt: skip
ITEM_COLUMNS = ["description", "code|1", "code|1|type", "setting", "standard_charge|gross"]
DOLLAR = "standard_charge|negotiated_dollar"


def written(texts: list[str]) -> Iterator[tuple[str, str | bytes]]:
    """A price list of these amounts in every layout: as gross charges and, in the other order, as a payer's."""
    both = list(enumerate(zip(texts, reversed(texts), strict=True)))
    rows = [[f"Item {at}", "1", "CPT", "both", gross] for at, (gross, _) in both]
    tall = [[*ITEM_COLUMNS, "payer_name", "plan_name", DOLLAR]]
    tall += [[*row, "Aetna", "PPO", dollar] for row, (_, (_, dollar)) in zip(rows, both, strict=True)]
    wide = [[*ITEM_COLUMNS, "standard_charge|Aetna|PPO|negotiated_dollar"]]
    wide += [[*row, dollar] for row, (_, (_, dollar)) in zip(rows, both, strict=True)]
    for name, table in (("tall", tall), ("wide", wide)):
        yield name, csv_text(table)
        yield f"{name} as text cells of a workbook", xlsx({"Prices": table})
    payers = [{"payer_name": "Aetna", "plan_name": "PPO", "standard_charge_dollar": f"@{one}@"} for _, (_, one) in both]
    items = [item(str(at), payers[at], gross_charge=f"@{gross}@") for at, (gross, _) in both]
    yield "JSON strings", document(items).replace("@", "")
    yield "JSON numbers", document(items).replace('"@', "").replace('@"', "")
    yield (
        "nested XML",
        "<Prices>"
        + "".join(
            f'<Item Code="99213"><Description>D{at}</Description><GrossCharge>{gross}</GrossCharge>'
            f'<Contracts><Contract Payer="Aetna" Charge="{dollar}"/></Contracts></Item>'
            for at, (gross, dollar) in both
        )
        + "</Prices>",
    )
    yield (
        "flat XML",
        "<root>"
        + "".join(
            f"<row><CPT>99213</CPT><Description>D{at}</Description><Gross_Charge>{gross}</Gross_Charge>"
            f"<Aetna_PPO>{dollar}</Aetna_PPO></row>"
            for at, (gross, dollar) in both
        )
        + "</root>",
    )


def read_exactly_from_every_layout(texts: list[str]) -> None:
    due = [true_value(text) for text in texts]
    for name, content in written(texts):
        with tempfile.TemporaryDirectory() as folder:
            got = read(Path(folder), content)
        assert got.rejects == [], name
        assert [charge["gross_charge"] for charge in got.charges] == due, name
        assert [rate["negotiated_dollar"] for rate in got.rates] == due[::-1], name


@settings(max_examples=15, deadline=None, derandomize=True, database=None)
@given(st.lists(PUBLISHED, min_size=1, max_size=50))
def test_a_published_number_is_read_exactly_from_every_layout(texts: list[str]) -> None:
    read_exactly_from_every_layout(texts)


@settings(max_examples=15, deadline=None, derandomize=True, database=None)
@given(st.lists(st.floats(-1e13, 1e13, allow_nan=False), min_size=1, max_size=30))
def test_a_float_of_a_workbook_is_its_shortest_decimal_text(values: list[float]) -> None:
    rows = [
        [*ITEM_COLUMNS, "payer_name", "plan_name", DOLLAR],
        *([f"Item {at}", "1", "CPT", "both", value, "Aetna", "PPO", -value] for at, value in enumerate(values)),
    ]
    with tempfile.TemporaryDirectory() as folder:
        got = read(Path(folder), xlsx({"Prices": rows}))
    assert [charge["gross_charge"] for charge in got.charges] == [true_value(repr(value)) for value in values]
    assert [rate["negotiated_dollar"] for rate in got.rates] == [true_value(repr(-value)) for value in values]


@pytest.mark.long
@pytest.mark.timeout(1200)
@settings(max_examples=1000, deadline=None)
@given(st.lists(PUBLISHED, min_size=1, max_size=100))
def test_a_published_number_is_read_exactly_many_times(texts: list[str]) -> None:
    read_exactly_from_every_layout(texts)


@pytest.mark.parametrize("number", ["2.5E-7", "1e-7", "1000000000000", "1E+12", "123456789012345"])
def test_a_number_of_json_that_is_rounded_or_too_large_keeps_its_text_as_published(number: str, tmp_path: Path) -> None:
    got = read(tmp_path, document([item("MRI", gross_charge=777, minimum=1)]).replace("777", number))
    assert got.charges[0]["extra"] == [("gross_charge", number)]
    assert got.charges[0]["flags"] == (["rounded"] if "-" not in number else ["zero_amount", "rounded"])


def test_many_columns_are_trimmed_together_as_each_alone() -> None:
    cells = [["a", None, " b ", " ", "\u00a0c"], [None] * 5, ["1", "2", "3", "4", "5"]]
    columns = [pa.array(cells[at % 3], pa.string()) for at in range(400)]
    together = blanks_to_null(columns)
    assert [column.to_pylist() for column in together[:3]] == [["a", None, "b", None, "c"], [None] * 5, list("12345")]
    assert all(
        one.equals(together[at % 3]) and valid_mask(one).tolist() == one.is_valid().to_pylist()
        for at, one in enumerate(together)
    )
