"""What hospitals of the simulated world sell and who pays: items, payers, plans, sentences, all in our own words."""
# ruff: noqa: RUF001 - dashes and signs outside ASCII are what the encodings are tested with

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the catalogue: codes (type, code), plain description, typical price in dollars, where it is given."""

    codes: tuple[tuple[str, str], ...]
    description: str
    price: float
    setting: str
    drug: tuple[str, str] = ("", "")  # amount and CMS unit type, for drugs


# Codes nearly every hospital publishes, so that prices can be compared.
_COMMON = """
CPT:27447,RC:0360|Knee replacement|41000|both
MS-DRG:470|Hip or knee replacement without major complications|38500|inpatient
CPT:70551,RC:0611|MRI of the brain without contrast|2100|outpatient
CPT:45380,RC:0750|Colonoscopy with tissue sample|3600|outpatient
CPT:99284,RC:0450|Emergency visit, level 4|1900|outpatient
CPT:80053,RC:0301|Blood chemistry panel|210|both
CPT:71046,RC:0324|Chest x-ray, two views|390|both
HCPCS:J1885,RC:0636|Ketorolac injection, 15 mg|24|both|15 ME
"""

_CATALOGUE = """
MS-DRG:871|Blood infection with major complications|52000|inpatient
MS-DRG:291|Heart failure with major complications|29500|inpatient
MS-DRG:807|Vaginal birth without complications|14800|inpatient
MS-DRG:788|Cesarean birth without complications|21900|inpatient
MS-DRG:392|Stomach and bowel disorders, other|19800|inpatient
MS-DRG:193|Pneumonia with major complications|31200|inpatient
MS-DRG:064|Stroke with major complications|44100|inpatient
MS-DRG:309|Irregular heartbeat with complications|18400|inpatient
APR-DRG:4031|Weight loss surgery, minor severity|27200|inpatient
RC:0120|Room and board, semi-private|2450|inpatient
RC:0200|Intensive care, per day|7800|inpatient
RC:0171|Newborn nursery, level I|1650|inpatient
RC:0360|Operating room time, each 15 minutes|1480|both
RC:0710|Recovery room, first hour|890|outpatient
RC:0370|Anesthesia supplies, "standard" tray|340|both
APC:5072|Skin drainage, level 2 (grouped)|1720|outpatient
APC:5361|Laparoscopic surgery, level 1 (grouped)|6100|outpatient
HCPCS:G0378,RC:0762|Hospital observation, per hour|160|outpatient
HCPCS:G0103,RC:0301|Prostate cancer blood screening|118|outpatient
HCPCS:C1713,RC:0278|Anchor or screw for bone|1240|both
HCPCS:C1776,RC:0278|Joint device, implantable|9200|both
HCPCS:A0427,RC:0540|Ambulance, advanced life support|1850|outpatient
HCPCS:E0114|Crutches, pair, aluminum|96|outpatient
HCPCS:L3908|Wrist brace, cock-up, off the shelf|142|outpatient
HCPCS:P9016,RC:0390|Red blood cells, filtered, each unit|610|both
HCPCS:Q9967,RC:0636|Contrast dye, low osmolar, per ml|3.85|outpatient|1 ML
HCPCS:J0131,RC:0636|Acetaminophen injection|2.1625|both|10 ME
HCPCS:J2405,RC:0636|Ondansetron injection|9.4|both|1 ME
HCPCS:J1100,RC:0636|Dexamethasone injection|4.75|both|1 ME
HCPCS:J3490,NDC:00990-7953-09|Dextrose solution, unlisted drug|18.2|both|250 ML
NDC:63323-0269-29,RC:0250|Propofol emulsion vial|61.7|both|20 ML
NDC:0409-1966-12,RC:0250|Nitroglycerin vial|88.12|inpatient|5 ML
NDC:00904-6461-61,RC:0259|Metformin tablet|1.15|both|1 UN
NDC:55150-0162-10,RC:0258|Sodium chloride bag|14.6|both|1 EA
CPT:93005,RC:0730|Heart tracing (ECG)|310|both
CPT:97110,RC:0420|Therapeutic exercise, 15 minutes|165|both
CPT:59400|Pregnancy and birth care package|9800|both
LOCAL:|Suture, nylon 3-0, 45 cm|38.5|both
LOCAL:|Ménière's balance test – caloric|720|outpatient
CDM:|Sjögren antibody panel|265|outpatient
CDM:|Café-au-lait spot, photo record|84|outpatient
CDM:|Niño sano: newborn hearing screen|190|both
CDM:|Wound care kit, large; includes gauze, tape, saline|57.25|both
CDM:|Blood gas – arterial draw|144|both
LOCAL:|Dietitian visit, 30 minutes|132|outpatient
LOCAL:|Interpreter, español, per visit|0|both
CDM:|Cast shoe, adult|41.9|outpatient
LOCAL:|Telemetry monitoring, daily|530|inpatient
CDM:|Sleep study with breathing measurement|3900|outpatient
CDM:|Béchet disease genetic marker|455|outpatient
"""


def _entry(line: str) -> Entry:
    codes, description, price, setting, *drug = line.split("|")
    pairs = tuple((kind, code) for kind, _, code in (pair.partition(":") for pair in codes.split(",")))
    amount, _, unit = drug[0].partition(" ") if drug else ("", "", "")
    return Entry(pairs, description, float(price), setting, (amount, unit))


COMMON: tuple[Entry, ...] = tuple(_entry(line) for line in _COMMON.strip().splitlines())
CATALOGUE: tuple[Entry, ...] = tuple(_entry(line) for line in _CATALOGUE.strip().splitlines())
PLAIN: tuple[Entry, ...] = tuple(entry for entry in CATALOGUE if entry.description.isascii())
ACCENTED: tuple[Entry, ...] = tuple(entry for entry in CATALOGUE if not entry.description.isascii())

VARIANTS: tuple[str, ...] = ("", "", "", ", left", ", right", ", repeat", ", after hours", ", pediatric", " (bundled)")

PAYERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Granite State Blue", ("PPO", "HMO Select", "Medicare Advantage")),
    ("Harbor Mutual Health", ("Commercial PPO", "Exchange Bronze, Silver and Gold")),
    ("Aetnia", ("Open Choice", "Whole Health – Northeast", "Medicare HMO")),
    ("Cignus", ("LocalPlus", "Open Access Plus")),
    ("UnitedHealthway", ("Choice Plus", "Navigate", "Dual Complete")),
    ("Humanna", ("Gold Plus HMO", "ChoiceCare PPO")),
    ("Ambettera", ("Balanced Care", "Virtual Access")),
    ("Compañía de Salud del Caribe", ("Plan Vital", "Plan Óptimo – HMO")),
    ("Mountain Valley Community Plan", ("Medicaid MCO", "CHIP")),
    ("Moliena Healthcare", ("Medicaid", "Marketplace")),
    ("First Choice Employers' Coalition", ("Direct contract",)),
    ("TriCaré West", ("Prime", "Select")),
    ("Worker's Compensation Fund", ("All plans",)),
    ("Multi-Net, Inc.", ("PPO, rental network",)),
)

METHODOLOGIES: tuple[str, ...] = ("case rate", "fee schedule", "percent of total billed charges", "per diem", "other")

ALGORITHMS: tuple[str, ...] = (
    "Lesser of billed charges or 120% of the payer's fee schedule",
    "Base rate x relative weight, plus outlier above $150,000",
    "62.5% of charges until day 10, then per diem",
    "Grouper 36: weight × base rate; see the contract's exhibit B",
)

NOTES: tuple[str, ...] = (
    "Rate includes implants, excludes professional fees",
    "Carve-out applies above $25,000; otherwise the case rate",
    "Paid per visit, not per unit",
    'Contract calls this a "bundle"',
    "See policy 14-B\nUpdated each January",
    "Tarifa según contrato – año 2026",
)

ZERO_COUNT_NOTE = "No claims were paid in the twelve months before this file"

MODIFIERS: tuple[tuple[str, str], ...] = (
    ("50", "Done on both sides"),
    ("52", "Reduced service"),
    ("26", "Professional part only"),
    ("TC", "Technical part only"),
)
