"""The recipes files are made by, and the mixes of hospitals, sizes and faults a world can be asked for."""

from dataclasses import dataclass

from glimmr.world.places import FREELY_ASSOCIATED, STATES


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a file is written: layout, template version, encoding, container, quirks, number of tables."""

    kind: str
    version: str
    encoding: str
    container: str
    quirks: frozenset[str]
    tables: int = 1


def _recipe(line: str) -> Recipe:
    kind, version, encoding, container, *quirks = line.split()
    tables = 2 if container == "zip2" else 1
    return Recipe(kind, version, encoding, container.rstrip("2"), frozenset(quirks), tables)


RECIPES: tuple[Recipe, ...] = tuple(
    map(
        _recipe,
        """
tall 3.0.0 utf-8 plain
wide 3.0.0 utf-8 plain
json 3.0.0 utf-8 plain
tall 2.2.0 utf-8-sig plain ragged
wide 2.2.0 utf-8-sig plain billing_class
json 2.2.1 utf-8 plain billing_class
tall 3.0.0 utf-8 gzip crlf
wide 3.0.0 utf-8 gzip shuffled
json 3.0.0 utf-8 gzip pretty
tall 3.0.0 utf-8 zip billing_class
wide 2.2.1 utf-8 zip no_plan
json 3.0.0 utf-8 zip
tall 3.0.0 cp1252 plain late_accents
wide 3.0.0 cp1252 plain no_plan crlf
json 2.2.0 cp1252 plain array_first
tall 3.0.0 cp1252-tail plain shuffled
wide 2.0.0 cp1252-tail plain ragged
tall 2.0.0 utf-8 plain messy spaced
wide 2.1.0 utf-8 plain messy mixed_case
json 2.0.0 utf-8 plain messy pretty
tall 2.1.0 cp1252 gzip mixed_case
tall 3.0.0 utf-8 plain no_preamble lead_record
wide 3.0.0 utf-8-sig plain no_preamble spaced
json 2.1.0 utf-8-sig plain
tall 3.0.0 utf-8-sig zip2 crlf ragged
wide 2.2.0 cp1252 zip2 messy
json 3.0.0 utf-8 plain array_first pretty billing_class
tall 2.2.1 utf-8 plain messy lead_record ragged crlf
wide 3.0.0 utf-8 plain messy spaced mixed_case no_plan
json 3.0.0 utf-8-sig gzip messy array_first
""".strip().splitlines(),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """A kind of world: which states, how large the files, which scripts some addresses follow.

    `scripts` are given to so many addresses each (a share of all when below 1); `large` are items of extra large files.
    `messy_sites`: half of the hospitals publish their cms-hpt.txt in one of the odd ways of `HPT_WAYS`.
    `partly_known`: no source knows all of a hospital (see `known.py`), and who publishes together is of one state.
    """

    states: tuple[str, ...]
    items: tuple[int, int]
    large: tuple[int, ...] = ()
    scripts: tuple[tuple[str, float], ...] = ()
    messy_sites: bool = False
    partly_known: bool = False


# How a hospital publishes its cms-hpt.txt (see `hpt.py`). From the last four nothing can be learnt.
HPT_WAYS = (
    "bom", "utf16", "upper_case", "one_line", "blank_lines", "no_scheme", "relative", "well_known", "www_only", "moved",
    "html", "prose", "none", "error",
)  # fmt: skip


_FAULTS: tuple[tuple[str, float], ...] = (
    ("404", 0.05),
    ("403", 0.04),
    ("410", 0.01),
    ("401", 0.01),
    ("html", 0.02),
    ("empty", 0.005),
    ("pdf", 0.005),
    ("503*2, ok", 0.01),
    ("429(ra=1), ok", 0.01),
    ("reset@50%, ok", 0.015),
    ("stall@50%, ok", 0.005),
    ("chunkcut@50%, ok", 0.01),
    ("len+10, ok", 0.005),
    ("redir*3", 0.005),
    ("loop", 0.005),
    ("cut@50%", 0.005),
)

# Those that pass by themselves last: whether the beginning of a file is had must not depend on how often it is asked.
_LASTING = tuple(({"503*2, ok": "503", "429(ra=1), ok": "500"}.get(script, script), share) for script, share in _FAULTS)

_DEMO_SCRIPTS = (
    "404", "403", "reset@50%, ok", "reset@40%", "stall@30%", "html", "cut@50%",
    "503, ok", "429(ra=1), ok", "redir*3", "gz-as-csv",
)  # fmt: skip

MIXES: dict[str, Mix] = {
    "demo": Mix(
        states=("VT", "NH", "ME", "WY", "PR", "DC", "RI", "DE", "GU", "VI"),
        items=(80, 640),
        large=(8000, 9000),
        scripts=tuple((script, 1) for script in _DEMO_SCRIPTS),
    ),
    "clean": Mix(states=tuple(STATES), items=(20, 120)),
    "load": Mix(states=tuple(STATES), items=(5, 15)),
    "scan": Mix(
        states=(*STATES, *FREELY_ASSOCIATED), items=(5, 15), scripts=_LASTING, messy_sites=True, partly_known=True
    ),
    "faulty": Mix(states=tuple(STATES), items=(10, 60), scripts=_FAULTS),
}
