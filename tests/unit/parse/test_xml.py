"""XML: flat rows, Access exports, nested items with attributes; broken and hostile documents."""

from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glimmr.parse.objects import xml_records
from glimmr.parse.objects.xml_choice import record_tags
from glimmr.parse.objects.xml_text import pieces
from glimmr.parse.text import TextBlock

from .papers import BLOCKS, Read, read


def flat(count: int = 3, note: str = "Visit") -> str:
    rows = "".join(
        f"<row><Type>OP</Type><Chargecode_DRG_CPT>{99213 + n}</Chargecode_DRG_CPT><Description>{note} {n}</Description>"
        f"<_1_1_22_Fee>{n + 1}.50</_1_1_22_Fee><SELF_PAY>{n}.25</SELF_PAY><_2022_AETNA>{n + 7}</_2022_AETNA></row>\n"
        for n in range(count)
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<root>\n{rows}</root>\n'


def items(*contracts: int) -> str:
    """LifePoint's shape: the setting and the type of the codes stand in the elements around the items."""
    inner = "".join(
        f'<Item Code="{99213 + at}"><Description>D{at}</Description><GrossCharge>{at + 10}.000000</GrossCharge>'
        "<Contracts>"
        + "".join(f'<Contract  Payer="P{n} &amp; Co - (PPO)"  Charge="{n}.5" />' for n in range(count))
        + "</Contracts></Item>\n"
        for at, count in enumerate(contracts)
    )
    return (
        '<StandardCharges><Facility Name="WEST MERCY HOSPITAL"><CreatedDate>1/5/2021 5:38:43 PM</CreatedDate>'
        f'<Patient Type="Inpatient"><Charge Type="CPT">\n{inner}</Charge></Patient></Facility></StandardCharges>'
    )


@pytest.mark.parametrize("block_bytes", [*BLOCKS[2:]])
def test_flat_rows_are_records(tmp_path: Path, block_bytes: int) -> None:
    got = read(tmp_path, flat(), block_bytes=block_bytes)
    assert (got.ended, got.member.format, got.member.layout) == (("ok", ""), "xml", "legacy")
    assert [(c["source_pos"], c["hcpcs"], c["description"], c["discounted_cash"]) for c in got.charges] == [
        (f"/row/{n}", str(99213 + n), f"Visit {n}", Decimal(f"{n}.25")) for n in range(3)
    ]
    assert [(r["source_pos"], r["negotiated_dollar"]) for r in got.rates] == [
        (f"/row/{n}/2022_AETNA", Decimal(n + 7)) for n in range(3)
    ]


def test_an_access_export_has_its_own_names_again(tmp_path: Path) -> None:
    rows = "".join(
        f"<Price_x0020_List><Charge_x0020_Code>{n}</Charge_x0020_Code><Charge_x0020_Description>D{n}"
        f"</Charge_x0020_Description><Fee_x0020__x0028_USD_x0029_>{n + 1}</Fee_x0020__x0028_USD_x0029_>"
        f"<Dept_x0020_Nr>7</Dept_x0020_Nr></Price_x0020_List>"
        for n in range(4)
    )
    text = f'<dataroot xmlns:od="urn:schemas-microsoft-com:officedata" generated="2019-01-01">{rows}</dataroot>'
    got = read(tmp_path, text)
    assert [c["source_pos"] for c in got.charges] == [f"/Price List/{n}" for n in range(4)]
    assert [c["gross_charge"] for c in got.charges] == [Decimal(n + 1) for n in range(4)]
    assert dict(got.charges[0]["extra"]) == {"Dept Nr": "7"}


def test_a_second_table_that_begins_late_is_read_too(tmp_path: Path) -> None:
    first = "".join(
        f"<A><code>{n}</code><description>{'a' * 400}</description><price>1</price></A>" for n in range(3000)
    )
    second = "".join(f"<B><cpt>99213</cpt><description>b</description><price>{n + 1}</price></B>" for n in range(3))
    got = read(tmp_path, f"<dataroot><when>2021</when>{first}{second}</dataroot>")
    assert len(first) > 2**20
    assert [c["source_pos"] for c in got.charges[3000:]] == ["/B/0", "/B/1", "/B/2"]
    assert got.report.rows_in == 3003


@pytest.mark.parametrize("block_bytes", [7, 300, 4 * 2**20])
def test_contracts_inside_an_item_are_its_rates(tmp_path: Path, block_bytes: int) -> None:
    got = read(tmp_path, items(2, 0, 1), block_bytes=block_bytes)
    assert [(c["source_pos"], c["hcpcs"], c["code_type"], c["setting"], c["gross_charge"]) for c in got.charges] == [
        (f"/Item/{n}", str(99213 + n), "CPT", "inpatient", Decimal(10 + n)) for n in range(3)
    ]
    assert [(r["charge_id"], r["source_pos"], r["payer_name"], r["negotiated_dollar"]) for r in got.rates] == [
        (0, "/Item/0/p/0", "P0 & Co - (PPO)", Decimal("0.5")),
        (0, "/Item/0/p/1", "P1 & Co - (PPO)", Decimal("1.5")),
        (2, "/Item/2/p/0", "P0 & Co - (PPO)", Decimal("0.5")),
    ]
    header = got.member.header
    assert (header.hospital_name, header.last_updated_on) == ("WEST MERCY HOSPITAL", "2021-01-05")


def test_many_contracts_do_not_hide_the_items() -> None:
    assert record_tags([items(500, 500).encode()]) == {"Item"}
    assert record_tags([flat().encode()]) == {"row"}
    assert record_tags([b"<a><b/><b/></a>"]) == frozenset()


def test_attributes_alone_and_texts_with_attributes_are_read(tmp_path: Path) -> None:
    row = '<item cpt="99213" description="Visit"><price currency="USD">5</price><rate payer="Aetna">3</rate></item>'
    got = read(tmp_path, f"<list>{row}{row}</list>")
    assert [(c["hcpcs"], c["gross_charge"]) for c in got.charges] == [("99213", Decimal(5))] * 2
    assert [(r["source_pos"], r["payer_name"], r["negotiated_dollar"]) for r in got.rates] == [
        ("/item/0/p/0", "Aetna", Decimal(3)),
        ("/item/1/p/0", "Aetna", Decimal(3)),
    ]


def test_namespaces_comments_and_data_sections_do_no_harm(tmp_path: Path) -> None:
    row = "<x:code>1</x:code><!-- <x:item> --><x:description><![CDATA[A & <B>]]></x:description><x:price>5</x:price>"
    got = read(tmp_path, f'<x:list xmlns:x="urn:x">{f"<x:item>{row}</x:item>" * 2}</x:list>')
    assert [(c["description"], c["gross_charge"]) for c in got.charges] == [("A & <B>", Decimal(5))] * 2


STRAY = {
    "A & B": "A & B 0", "A &amp; B": "A & B 0", "a&nbsp;b": "a\xa0b 0", "5 < 6": "5 < 6 0", "caf&#233;": "café 0",
    "x&#11;y": "x y 0", "x\x0by": "x y 0", "&unknown;": "&unknown; 0", "R&D;": "R&D; 0",
    "\uffff": "\ufffd 0", "&#x1F600;": "\U0001f600 0",
}  # fmt: skip


@pytest.mark.parametrize("block_bytes", [5, 4 * 2**20])
@pytest.mark.parametrize("text", STRAY)
def test_stray_characters_are_themselves(tmp_path: Path, text: str, block_bytes: int) -> None:
    got = read(tmp_path, flat(note=text), block_bytes=block_bytes)
    assert (got.ended, got.rejects) == (("ok", ""), [])
    assert got.charges[0]["description"] == STRAY[text]


@pytest.mark.parametrize("declared", ["UTF-8", "ISO-8859-1", "windows-1252", "utf-16", "nonsense"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_the_bytes_say_the_encoding(tmp_path: Path, declared: str, encoding: str) -> None:
    text = flat(note="Café – 5 €").replace("UTF-8", declared)  # noqa: RUF001 - a dash is what is tested
    got = read(tmp_path, text.encode(encoding))
    assert [c["description"] for c in got.charges] == [f"Café – 5 € {n}" for n in range(3)]  # noqa: RUF001


HOSTILE = (
    '<!DOCTYPE x [<!ENTITY a "b">]><root><row><code>&a;</code><price>1</price></row></root>',
    '<?xml version="1.0"?>\n<!-- c --><!DOCTYPE root SYSTEM "file:///etc/passwd"><root/>',
    "<root><!ENTITY a SYSTEM 'http://127.0.0.1/'><row/></root>",
)


@pytest.mark.parametrize("block_bytes", [3, 4 * 2**20])
@pytest.mark.parametrize("text", HOSTILE)
def test_a_document_type_is_refused(tmp_path: Path, text: str, block_bytes: int) -> None:
    got = read(tmp_path, text, block_bytes=block_bytes)
    assert (got.ended, got.charges) == (("unsafe", "dtd"), [])


@pytest.mark.parametrize("block_bytes", [64, 4 * 2**20])
@pytest.mark.parametrize("shape", ["flat", "nested"])
def test_a_cut_document_keeps_every_whole_record(tmp_path: Path, shape: str, block_bytes: int) -> None:
    text = flat(20) if shape == "flat" else items(*range(20))
    got = read(tmp_path, text[: text.rindex("</Description>") + 2], block_bytes=block_bytes)
    assert got.ended == ("incomplete", "truncated")
    assert len(got.charges) == 19
    assert [(r["position"].rpartition("/")[2], r["reason"]) for r in got.rejects] == [("19", "cut_short")]
    assert read(tmp_path, text[: text.rindex("</")]).ended == ("incomplete", "truncated")


BROKEN = {
    "another end tag": ("<Description>Visit 7</Description>", "<Description>Visit 7</Descr>"),
    "no end tag": ("<Description>Visit 7</Description>", "<Description>Visit 7"),
    "a tag without end": ("<Description>Visit 7</Description>", "<Description Visit 7</Description>"),
    "an attribute without quotes": ("<Description>Visit 7", "<Description a=b>Visit 7"),
}


@pytest.mark.parametrize("block_bytes", [64, 4 * 2**20])
@pytest.mark.parametrize("what", BROKEN)
def test_only_the_broken_record_is_lost(tmp_path: Path, what: str, block_bytes: int) -> None:
    got = read(tmp_path, flat(20).replace(*BROKEN[what]), block_bytes=block_bytes)
    assert [c["source_pos"] for c in got.charges] == [f"/row/{n}" for n in range(20) if n != 7]
    assert [c["description"] for c in got.charges] == [f"Visit {n}" for n in range(20) if n != 7]
    assert [(r["position"], r["reason"]) for r in got.rejects] == [("/row/7", "malformed")]
    assert got.report.outcome == "ok"


@pytest.mark.parametrize("stray", ["</group>", "<open>", "</root>"])
def test_broken_markup_between_records_costs_none(tmp_path: Path, stray: str) -> None:
    got = read(tmp_path, flat(20).replace("</row>\n<row>", f"</row>{stray}<row>", 1))
    assert [c["description"] for c in got.charges] == [f"Visit {n}" for n in range(20)]
    assert got.findings()["GL-XML-BROKEN"] >= 1


def test_text_without_end_is_refused(tmp_path: Path) -> None:
    long = flat(3).replace("Visit 1", "x" * 11_000_000)
    got = read(tmp_path, long)
    assert got.ended == ("unparseable", "broken_structure")


def test_xml_without_prices_is_no_price_table(tmp_path: Path) -> None:
    rows = "<row><description>MRI</description><beds>3</beds></row>" * 3
    assert read(tmp_path, f"<root>{rows}</root>").ended == ("no_price_table", "no_price_column")
    assert read(tmp_path, "<root/>").ended == ("no_price_table", "no_header")
    assert read(tmp_path, "<root><a><b><c>1</c></b></a></root>").ended[0] == "no_price_table"


def test_deep_nesting_does_no_harm(tmp_path: Path) -> None:
    got = read(tmp_path, "<root>" + "<a>" * 100_000 + "</a>" * 100_000 + "</root>")
    assert got.ended[0] in {"unparseable", "no_price_table"}


def test_records_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    before: list[int] = []
    real = xml_records.as_object

    def counted(element: Any) -> dict[str, Any]:
        before.append(sum(1 for _ in element.itersiblings(preceding=True)))
        return real(element)

    monkeypatch.setattr(xml_records, "as_object", counted)
    block = TextBlock(flat(500).partition("<root>\n")[2].removesuffix("</root>\n").encode())
    text = [TextBlock(b"<root>"), *[block] * 5, TextBlock(b"</root>")]
    runs = list(xml_records.XmlRecords(pieces(iter(text)), frozenset({"row"})).read())
    assert [number for run in runs for number in run.part[0]] == list(range(2500))
    assert (len(before), max(before)) == (2500, 1)


def settled(got: Read) -> None:
    assert got.report.rows_in == got.report.items_out + got.report.rows_rejected
    assert got.report.outcome in {"ok", "incomplete", "unparseable", "no_price_table", "not_a_price_file", "unsafe"}


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=8)


@settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=40)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=5), st.sampled_from([9, 4 * 2**20]))
def test_any_texts_are_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], block_bytes: int
) -> None:
    inner = "".join(
        f"<row note={quoteattr(one)}><code>C{at}</code><price>{at + 1}</price><other>{escape(two)}</other></row>"
        for at, (one, two) in enumerate(rows)
    )
    got = read(tmp_path_factory.mktemp("texts"), f"<root>{inner}<row/></root>", block_bytes=block_bytes)
    settled(got)
    assert [c["gross_charge"] for c in got.charges] == [Decimal(at + 1) for at in range(len(rows))]


@settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=40)
@given(st.sampled_from([flat(6), items(2, 3, 1)]), st.data())
def test_mutated_bytes_end_in_an_outcome(tmp_path_factory: pytest.TempPathFactory, paper: str, data: Any) -> None:
    text = bytearray(paper.encode())
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(text) - 1))
        marks = [
            b"",
            b'"',
            b"<",
            b">",
            b"/",
            b"&",
            b"<!",
            b"<![CDATA[",
            b"\xff",
            b"</row>",
            b"\x00",
            b"<row>",
            b"<!DOCTYPE",
        ]
        text[at : at + data.draw(st.integers(0, 4))] = data.draw(st.sampled_from(marks))
    settled(read(tmp_path_factory.mktemp("mutated"), bytes(text), block_bytes=data.draw(st.sampled_from([9, 10**6]))))
