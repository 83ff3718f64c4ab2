"""Where the simulated hospitals stand: every state and territory CMS knows, with its CCN prefix and some towns."""

from dataclasses import dataclass

# state, prefix of its CMS Certification Numbers, then town/ZIP/latitude/longitude.
_PLACES = """
AL 01 Dothan/36301/31.22/-85.39 Cullman/35055/34.17/-86.84
AK 02 Sitka/99835/57.05/-135.33 Kenai/99611/60.55/-151.26
AZ 03 Globe/85501/33.39/-110.79 Yuma/85364/32.69/-114.63
AR 04 Searcy/72143/35.25/-91.74 Harrison/72601/36.23/-93.11
CA 05 Ukiah/95482/39.15/-123.21 Hanford/93230/36.33/-119.65
CO 06 Salida/81201/38.53/-106.00 Greeley/80631/40.42/-104.71
CT 07 Torrington/06790/41.80/-73.12 Norwich/06360/41.52/-72.08
DE 08 Milford/19963/38.91/-75.43 Seaford/19973/38.64/-75.61
DC 09 Washington/20010/38.93/-77.03 Washington/20032/38.83/-77.01
FL 10 Ocala/34471/29.19/-82.13 Sebring/33870/27.50/-81.44
GA 11 Tifton/31794/31.45/-83.51 Rome/30161/34.26/-85.16
HI 12 Hilo/96720/19.71/-155.08 Lihue/96766/21.98/-159.37
ID 13 Moscow/83843/46.73/-117.00 Burley/83318/42.54/-113.79
IL 14 Mattoon/61938/39.48/-88.37 Galena/61036/42.42/-90.43
IN 15 Seymour/47274/38.96/-85.89 Goshen/46526/41.58/-85.83
IA 16 Pella/50219/41.41/-92.92 Decorah/52101/43.30/-91.79
KS 17 Hays/67601/38.88/-99.33 Pratt/67124/37.64/-98.74
KY 18 Corbin/40701/36.95/-84.10 Murray/42071/36.61/-88.31
LA 19 Ruston/71270/32.52/-92.64 Houma/70360/29.60/-90.72
ME 20 Houlton/04730/46.13/-67.84 Rockport/04856/44.19/-69.07 Skowhegan/04976/44.77/-69.72 Machias/04654/44.72/-67.46
MD 21 Easton/21601/38.77/-76.08 Cumberland/21502/39.65/-78.76
MA 22 Athol/01331/42.60/-72.23 Hyannis/02601/41.65/-70.28
MI 23 Alpena/49707/45.06/-83.43 Ludington/49431/43.96/-86.45
MN 24 Bemidji/56601/47.47/-94.88 Winona/55987/44.05/-91.64
MS 25 Corinth/38834/34.93/-88.52 Natchez/39120/31.56/-91.40
MO 26 Rolla/65401/37.95/-91.77 Sedalia/65301/38.70/-93.23
MT 27 Dillon/59725/45.22/-112.64 Havre/59501/48.55/-109.68
NE 28 Kearney/68847/40.70/-99.08 Norfolk/68701/42.03/-97.42
NV 29 Elko/89801/40.83/-115.76 Ely/89301/39.25/-114.89
NH 30 Littleton/03561/44.31/-71.77 Keene/03431/42.93/-72.28 Laconia/03246/43.53/-71.47 Berlin/03570/44.47/-71.19
NJ 31 Newton/07860/41.06/-74.75 Salem/08079/39.57/-75.47
NM 32 Taos/87571/36.41/-105.57 Clovis/88101/34.40/-103.21
NY 33 Oneonta/13820/42.45/-75.06 Malone/12953/44.85/-74.29
NC 34 Boone/28607/36.22/-81.67 Lenoir/28645/35.91/-81.54
ND 35 Minot/58701/48.23/-101.30 Dickinson/58601/46.88/-102.79
OH 36 Gallipolis/45631/38.81/-82.20 Wooster/44691/40.81/-81.94
OK 37 Ada/74820/34.77/-96.68 Enid/73701/36.40/-97.88
OR 38 Astoria/97103/46.19/-123.83 Burns/97720/43.59/-119.05
PA 39 Sayre/18840/41.98/-76.52 Warren/16365/41.84/-79.15
PR 40 Ponce/00716/18.01/-66.61 Mayagüez/00680/18.20/-67.14 Humacao/00791/18.15/-65.83 Manatí/00674/18.43/-66.48
RI 41 Westerly/02891/41.38/-71.83 Newport/02840/41.49/-71.31
SC 42 Seneca/29678/34.69/-82.95 Sumter/29150/33.92/-80.34
SD 43 Pierre/57501/44.37/-100.35 Huron/57350/44.36/-98.21
TN 44 Cookeville/38501/36.16/-85.50 Dyersburg/38024/36.03/-89.39
TX 45 Alpine/79830/30.36/-103.66 Uvalde/78801/29.21/-99.79
UT 46 Price/84501/39.60/-110.81 Moab/84532/38.57/-109.55
VT 47 Burlington/05401/44.48/-73.21 Rutland/05701/43.61/-72.97 Newport/05855/44.94/-72.21 Bennington/05201/42.88/-73.20
VI 48 Christiansted/00820/17.75/-64.70 Charlotte_Amalie/00802/18.34/-64.93
VA 49 Galax/24333/36.66/-80.92 Farmville/23901/37.30/-78.39
WA 50 Omak/98841/48.41/-119.53 Aberdeen/98520/46.98/-123.82
WV 51 Elkins/26241/38.93/-79.85 Beckley/25801/37.78/-81.19
WI 52 Rhinelander/54501/45.64/-89.41 Monroe/53566/42.60/-89.64
WY 53 Cody/82414/44.53/-109.06 Lander/82520/42.83/-108.73 Torrington/82240/42.06/-104.18 Sheridan/82801/44.80/-106.96
AS 64 Pago_Pago/96799/-14.28/-170.70
GU 65 Tamuning/96913/13.49/144.78
MP 66 Saipan/96950/15.19/145.75
"""

# The three that price files know beside them (CMS's JSON schema); CMS has no prefixes for them: these are made up.
_MORE_PLACES = """
FM 97 Palikir/96941/6.92/158.16
MH 98 Majuro/96960/7.09/171.38
PW 99 Koror/96940/7.34/134.47
"""


@dataclass(frozen=True, slots=True)
class Town:
    """A town of a state, with the coordinates its hospitals are put around."""

    name: str
    zip: str
    lat: float
    lon: float


@dataclass(frozen=True, slots=True)
class State:
    """A state or territory: postal code, prefix of its CMS Certification Numbers, towns."""

    code: str
    ccn_prefix: str
    towns: tuple[Town, ...]


def _state(line: str) -> State:
    code, prefix, *towns = line.split()
    return State(code, prefix, tuple(_town(*town.split("/")) for town in towns))


def _town(name: str, zip_code: str, lat: str, lon: str) -> Town:
    return Town(name.replace("_", " "), zip_code, float(lat), float(lon))


STATES: dict[str, State] = {state.code: state for state in map(_state, _PLACES.strip().splitlines())}
FREELY_ASSOCIATED: dict[str, State] = {state.code: state for state in map(_state, _MORE_PLACES.strip().splitlines())}

SAINTS: tuple[str, ...] = (
    "Brigid",
    "Odile",
    "Cuthbert",
    "Ursula",
    "Bavo",
    "Kevin",
    "Walburga",
    "Gall",
    "Isidore",
    "Ita",
)
NATURE: tuple[str, ...] = (
    "Otter Creek", "Juniper Ridge", "Two Rivers", "Heron Lake", "Granite Notch", "Blue Heath", "Cedar Hollow",
    "Long Meadow", "Copper Canyon", "White Birch", "Gull Harbor", "Sage Flats", "Red Maple", "Windward",
)  # fmt: skip
ENDINGS: tuple[str, ...] = (
    "Medical Center", "Community Hospital", "Memorial Hospital", "Regional Hospital", "Health Center",
    "Critical Access Hospital", "Children's Hospital", "General Hospital",
)  # fmt: skip
SPANISH: tuple[str, ...] = (
    "Hospital San Telmo", "Centro Médico Río Verde", "Hospital de Niños Ceiba", "Hospital Señorial del Sur",
    "Clínica Las Peñas", "Hospital Corazón de María", "Centro Cardiológico Borikén", "Hospital El Ausubo",
)  # fmt: skip
STREETS: tuple[str, ...] = ("Hospital Drive", "Main Street", "Mill Road", "Prospect Avenue", "Orchard Lane", "Route 9")
