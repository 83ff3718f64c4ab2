"""CMS's lists of hospitals: General Information by pages and as CSV, the list of datasets, and the enrollments."""

import csv
import io
from dataclasses import dataclass
from typing import Any

from glimmr.world.build import World
from glimmr.world.hospitals import Hospital
from glimmr.world.http import Answer, Request, json_answer
from glimmr.world.known import in_roster, is_enrolled, is_exempt, roster_name

ROSTER_HOST = "data.cms.test"
ROSTER_PATH = "/provider-data/api/1/datastore/query/xubh-q36u/0"
CATALOG_PATH = "/data.json"
_ENROLLED_PATH = "/data-api/v1/dataset/f6f6505c-e8b0-4d57-b258-e2b94133aaf2/data"
_MOST_ROWS = 1500  # more the query API does not give at once
_CSV_NAMES = {
    "facility_id": "Facility ID", "facility_name": "Facility Name", "address": "Address", "citytown": "City/Town",
    "state": "State", "zip_code": "ZIP Code", "telephone_number": "Telephone Number", "hospital_type": "Hospital Type",
    "hospital_ownership": "Hospital Ownership",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterRules:
    """Whether the query API is down, so that only the CSV is left; whether everything is."""

    pages_fail: bool = False
    all_fails: bool = False


class Roster:
    """The host of CMS's data."""

    def __init__(self, world: World, rules: RosterRules) -> None:
        self.rules = rules
        self._rows = [_row(world, one) for one in world.hospitals if in_roster(world, one)]
        if world.partly_known:  # rows nobody can use
            self._rows += [row | {"facility_id": ""} for row in self._rows[9::40]]
        self._enrolled = [_enrollment(one) for one in world.hospitals if is_enrolled(world, one)]

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        if self.rules.all_fails:
            return json_answer({"message": "Internal error"}, 500)
        if request.path == ROSTER_PATH:
            return json_answer({"message": "Internal error"}, 500) if self.rules.pages_fail else self._page(request)
        if request.path == f"{ROSTER_PATH}/download":
            return Answer(200, self._csv(), "text/csv")
        if request.path == CATALOG_PATH:
            return json_answer(_catalog())
        if request.path == _ENROLLED_PATH:
            return self._enrollments(request)
        return json_answer({"message": "Not found"}, 404)

    def _page(self, request: Request) -> Answer:
        state, at = request.query.get("conditions[0][value]"), int(request.query.get("offset", "0"))
        rows = [row for row in self._rows if state in (None, row["state"])]
        most = min(_MOST_ROWS, int(request.query.get("limit", "500")))
        return json_answer({"results": rows[at : at + most], "count": len(rows), "schema": {}})

    def _csv(self) -> bytes:
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(_CSV_NAMES.values())
        writer.writerows([row[name] for name in _CSV_NAMES] for row in self._rows)
        return text.getvalue().encode()

    def _enrollments(self, request: Request) -> Answer:
        state, at = request.query.get("filter[STATE]"), int(request.query.get("offset", "0"))
        rows = [row for row in self._enrolled if state in (None, row["STATE"])]
        return json_answer(rows[at : at + int(request.query.get("size", "1000"))])


def npi(hospital: Hospital) -> str:
    """Its National Provider Identifier, if it is enrolled."""
    return str(1_600_000_000 + hospital.number)


def _row(world: World, hospital: Hospital) -> dict[str, str]:
    exempt = is_exempt(world, hospital)
    return {
        "facility_id": hospital.ccn,
        "facility_name": roster_name(world, hospital),
        "address": hospital.address.upper(),
        "citytown": hospital.city.upper(),
        "state": hospital.state,
        "zip_code": hospital.zip,
        "telephone_number": hospital.phone,
        "hospital_type": "Acute Care - Veterans Administration" if exempt else "Acute Care Hospitals",
        "hospital_ownership": "Veterans Health Administration" if exempt else "Voluntary non-profit - Private",
    }


def _enrollment(hospital: Hospital) -> dict[str, str]:
    return {
        "CCN": hospital.ccn,
        "NPI": npi(hospital),
        "ORGANIZATION NAME": f"{hospital.city} Healthcare Authority {hospital.number}",
        "DOING BUSINESS AS NAME": hospital.name,
        "ADDRESS LINE 1": hospital.address,
        "CITY": hospital.city,
        "STATE": hospital.state,
        "ZIP CODE": hospital.zip,
    }


def _catalog() -> dict[str, Any]:
    """The list of datasets, as DCAT: a near namesake, an older release, and the one that is due."""
    here = f"http://{ROSTER_HOST}"
    api = {"@type": "dcat:Distribution", "format": "API"}
    old = api | {"accessURL": f"{here}/data-api/v1/dataset/old/data", "temporal": "2020-01-01/2020-01-31"}
    now = api | {"accessURL": here + _ENROLLED_PATH, "temporal": "2026-10-01/2026-10-31", "description": "latest"}
    other = api | {"accessURL": f"{here}/data-api/v1/dataset/hospice/data"}
    return {
        "dataset": [
            {"title": "Hospice Enrollments", "distribution": [other]},
            {"title": "Hospital Enrollments", "distribution": [old, now]},
        ]
    }
