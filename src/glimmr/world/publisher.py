"""What a simulated file says of itself: hospital, date, licence, attestation, as CSV preamble or JSON members."""

from dataclasses import dataclass
from random import Random
from typing import Any

from glimmr.world.prices import Shape

# CMS fixes these sentences (45 CFR 180.50; data dictionaries of templates 2.x and 3.0).
AFFIRMATION = (
    "To the best of its knowledge and belief, the hospital has included all applicable standard charge information in "
    "accordance with the requirements of 45 CFR 180.50, and the information encoded is true, accurate, and complete as "
    "of the date indicated."
)
ATTESTATION = (
    "To the best of its knowledge and belief, this hospital has included all applicable standard charge information in "
    "accordance with the requirements of 45 CFR 180.50, and the information encoded is true, accurate, and complete as "
    "of the date in the file. This hospital has included all payer-specific negotiated charges in dollars that can be "
    "expressed as a dollar amount. For payer-specific negotiated charges that cannot be expressed as a dollar amount "
    "in the machine-readable file or not knowable in advance, the hospital attests that the payer-specific negotiated "
    "charge is based on a contractual algorithm, percentage or formula that precludes the provision of a dollar amount "
    "and has provided all necessary information available to the hospital for the public to be able to derive the "
    "dollar amount, including, but not limited to, the specific fee schedule or components referenced in such "
    "percentage, algorithm or formula."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """Who publishes a file: hospital name, places (name, address), state."""

    name: str
    state: str
    places: tuple[tuple[str, str], ...]

    def updated_on(self, shape: Shape) -> str:
        """The date the file claims, ISO 8601. It comes from the seed, never from a clock."""
        random = Random(f"{shape.key}/date")  # noqa: S311 - reproducible, not secret
        year = 2026 if shape.is_v3 else 2025
        return f"{year}-{random.randint(1, 9):02d}-{random.randint(1, 28):02d}"

    def licence(self, shape: Shape) -> str:
        """A licence number, from the seed."""
        return str(Random(f"{shape.key}/licence").randint(10000, 99999))  # noqa: S311 - reproducible, not secret


def preamble(publisher: Publisher, shape: Shape) -> tuple[list[str], list[str]]:
    """The first two CSV rows: keys and values, per CMS's CSV data dictionary of the version."""
    names = [name for name, _ in publisher.places]
    addresses = "|".join(address for _, address in publisher.places)
    date = publisher.updated_on(shape)
    if "mixed_case" in shape.quirks:
        year, month, day = date.split("-")
        date = f"{int(month)}/{int(day)}/{year}"
    pairs = [
        ("hospital_name", publisher.name),
        ("last_updated_on", date),
        ("version", shape.version),
        ("location_name" if shape.is_v3 else "hospital_location", "|".join(names)),
        ("hospital_address", addresses),
        (f"license_number|{publisher.state}", publisher.licence(shape)),
    ]
    if shape.is_v3:
        pairs += [("type_2_npi", "1999999984|1999999976"), (ATTESTATION, "TRUE"), ("attester_name", "Jo Attester")]
    else:
        pairs += [(AFFIRMATION, "true")]
    return [key for key, _ in pairs], [value for _, value in pairs]


def members(publisher: Publisher, shape: Shape) -> dict[str, Any]:
    """The JSON root members other than the charges, per CMS's JSON schema of the version."""
    root: dict[str, Any] = {
        "hospital_name": publisher.name,
        "last_updated_on": publisher.updated_on(shape),
        "version": shape.version,
        "location_name" if shape.is_v3 else "hospital_location": [name for name, _ in publisher.places],
        "hospital_address": [address for _, address in publisher.places],
        "license_information": {"license_number": publisher.licence(shape), "state": publisher.state},
    }
    if shape.is_v3:
        root["attestation"] = {"attestation": ATTESTATION, "confirm_attestation": True, "attester_name": "Jo Attester"}
        root["type_2_npi"] = ["1999999984", "1999999976"]
    else:
        root["affirmation"] = {"affirmation": AFFIRMATION, "confirm_affirmation": True}
    if shape.version.startswith(("2.2", "3")):
        said = {"payer_name": "Aetnia", "plan_name": "Open Choice", "description": "Paid at 50% of the rate"}
        root["modifier_information"] = [
            {"description": "Done on both sides", "code": "50", "modifier_payer_information": [said]}
        ]
    return root
