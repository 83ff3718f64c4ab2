import pytest

from glimmr.cli.cells import cell_name


@pytest.mark.parametrize(
    ("position", "cell"),
    [
        ("R5C7", "G5"),
        ("R5", "row 5"),
        ("R1C26", "Z1"),
        ("R1C27", "AA1"),
        ("R1234C702", "ZZ1234"),
        ("R4C16384", "XFD4"),
        ("Sheet1!R9C2", "Sheet1!B9"),
        ("b.xlsx!AB 1045 Form!R7", "b.xlsx!AB 1045 Form!row 7"),
        ("/sci/12", "/standard_charge_information/12"),
        ("/sci/12/sc/0/gross_charge", "/standard_charge_information/12/standard_charges/0/gross_charge"),
        ("/sci/1/sc/0/p/3/count", "/standard_charge_information/1/standard_charges/0/payers_information/3/count"),
        ("/charges/4/Aetna~1PPO", "/charges/4/Aetna~1PPO"),
        ("end", "end"),
    ],
)
def test_a_position_is_named_as_people_find_it(position: str, cell: str) -> None:
    assert cell_name(position) == cell
