"""Money is exactly what was published, rounded half-even to 6 places."""

from decimal import ROUND_HALF_EVEN, Context, Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glimmr.parse.tables.amounts import amount, of_numbers, of_texts
from glimmr.parse.tables.flags import names_of

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
    rounded = exact.quantize(Decimal("0.000001"), context=Context(prec=100, rounding=ROUND_HALF_EVEN))
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
