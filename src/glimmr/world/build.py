"""The world itself: hospitals, the hosts they publish on, and their files, all from one seed."""

import unicodedata
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from random import Random
from typing import Any

from glimmr.world.content import Content, gzipped, sha256_of
from glimmr.world.costs import Cost, cost_of
from glimmr.world.hospitals import Hospital, draw_hospitals
from glimmr.world.mixes import HPT_WAYS, MIXES, RECIPES, Mix, Recipe
from glimmr.world.prices import Shape
from glimmr.world.publisher import Publisher
from glimmr.world.scripts import outcome_of, size_of, step_for, steps_of
from glimmr.world.truth import counts
from glimmr.world.vast import renewed, vast

PRA_HOST = "pts.patientrightsadvocatefiles.test"
_VENDORS = 4
_VENDOR_TARGETS = (
    "/Reports.aspx?dbName=db{n}&type=CDMWithoutLabel&fileType={ext}",
    "/MRFDownload/client{n}/file{n}",
    "/charges/mrf?id={n:04x}",
    "/api/public/content/{n:08x}?download=true",
)


@dataclass(frozen=True, slots=True)
class Expect:
    """How an address must end, and what its file holds when it ends `ok` (else None: nothing is promised)."""

    outcome: str
    reason: str
    rows_in: int | None = None
    charges: int | None = None
    rates: int | None = None
    digest: str | None = None
    sha256: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """An address: what stands there, and how its server behaves (`script`, see `scripts.py`)."""

    url: str
    content: Content
    script: str = "ok"
    hospitals: tuple[str, ...] = ()  # CCNs

    @property
    def kind(self) -> str:
        """tall, wide or json."""
        return self.content.shapes[0].kind

    @property
    def shows_header(self) -> bool:
        """Whether it says at its beginning whose it is."""
        return not self.content.shapes[0].quirks & {"no_preamble", "array_first"}

    @property
    def rows(self) -> int:
        """Items of its tables, before a CSV spreads them over records."""
        return sum(shape.items for shape in self.content.shapes)

    @property
    def host(self) -> str:
        """The virtual host of the address."""
        return self.url.split("/")[2]

    @property
    def target(self) -> str:
        """Path and query, as a request line has them."""
        return "/" + self.url.split("/", 3)[3]

    @property
    def expect(self) -> Expect:
        """The truth. It is computed when first asked for."""
        return _expect(self.content, self.script)

    def cost(self, attempts: int = 14) -> Cost:
        """What a client that makes at most so many attempts may cost the server."""
        return cost_of(self.script, size_of(self.script) or sha256_of(self.content.chunks())[1], attempts)

    def truth(self) -> dict[str, Any]:
        """The truth and what the file is, as plain JSON types."""
        shape = self.content.shapes[0]
        about = {"url": self.url, "hospitals": list(self.hospitals), "script": self.script, "kind": self.kind}
        made = {"version": shape.version, "encoding": self.content.encoding, "container": self.content.container}
        return (
            about
            | made
            | {"quirks": sorted(shape.quirks), "tables": len(self.content.shapes)}
            | asdict(self.expect)
            | asdict(self.cost())
        )


@lru_cache(maxsize=20_000)
def _expect(content: Content, script: str) -> Expect:
    outcome, reason = outcome_of(script)
    if outcome != "ok":
        return Expect(outcome, reason)
    if size_of(script):
        large = vast(content, size_of(script))
        return Expect(outcome, reason, sha256=large.sha256, size_bytes=large.size)
    last = step_for(steps_of(script), 10**9)
    content = renewed(content) if last.name == "renew" else content
    told = counts(content.shapes)
    chunks = content.chunks()
    if last.name in ("gz-as-csv", "gzip"):
        chunks = iter([gzipped(b"".join(chunks))])
    sha256, size_bytes = sha256_of(chunks)
    return Expect(outcome, reason, told.rows_in, told.charges, told.rates, told.digest, sha256, size_bytes)


@dataclass(frozen=True, slots=True)
class Site:
    """A virtual host: a hospital's own, or a vendor's (then `hospital` is None). `hpt`: how it has its cms-hpt.txt.

    `leads_to`: where its home page sends to.
    """

    host: str
    hospital: Hospital | None
    hpt: str = "good"
    leads_to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Hospitals, sites and files: a pure function of seed, size and mix."""

    seed: int
    hospitals: tuple[Hospital, ...]
    sites: tuple[Site, ...]
    files: tuple[File, ...]
    of_ccn: dict[str, tuple[File, ...]] = field(compare=False, repr=False)
    partly_known: bool = False

    def files_of(self, hospital: Hospital) -> tuple[File, ...]:
        """The addresses that publish this hospital's prices: none, one or two."""
        return self.of_ccn.get(hospital.ccn, ())

    def truth(self) -> list[dict[str, Any]]:
        """The truth of every address, as plain JSON types."""
        return [file.truth() for file in self.files]


def world(seed: int = 7, n: int = 80, mix: str = "demo") -> World:
    """A world of `n` hospitals. mix: demo, clean, load, scan or faulty. Raises KeyError for another mix."""
    chosen = MIXES[mix]
    hospitals = draw_hospitals(seed, n, chosen.states)
    files = _with_scripts(seed, _draw_files(seed, hospitals, chosen), chosen)
    sites = [site for hospital in hospitals for site in _sites(seed, hospital, chosen)]
    sites += [Site(f"files.vendor{number}.test", None) for number in range(1, _VENDORS + 1)]
    return World(
        seed=seed,
        hospitals=hospitals,
        sites=tuple(sites),
        files=files,
        of_ccn=by_ccn(files),
        partly_known=chosen.partly_known,
    )


def by_ccn(files: Iterable[File]) -> dict[str, tuple[File, ...]]:
    """The addresses of each hospital, by its CCN."""
    of_ccn: dict[str, tuple[File, ...]] = {}
    for file in files:
        for ccn in file.hospitals:
            of_ccn[ccn] = (*of_ccn.get(ccn, ()), file)
    return of_ccn


def _sites(seed: int, hospital: Hospital, mix: Mix) -> list[Site]:
    """A hospital's own host, and the one beside it that has what the first one lacks."""
    random = Random(f"{seed}/{hospital.number}/site")  # noqa: S311 - reproducible, not secret
    hpt = random.choice(HPT_WAYS) if mix.messy_sites and random.random() < 0.5 else "good"
    if mix.partly_known and hospital.number % 16 == 6:  # of whom PRA has no address either (see `known.py`)
        hpt = "none"
    beside = {"www_only": f"www.{hospital.host}", "moved": f"h{hospital.number}.moved.test"}.get(hpt)
    own = Site(hospital.host, hospital, hpt, leads_to=beside or "" if hpt == "moved" else "")
    return [own, Site(beside, hospital)] if beside else [own]


def _draw_files(seed: int, hospitals: tuple[Hospital, ...], mix: Mix) -> tuple[File, ...]:
    """Most hospitals have one file; some share one, some have two, some have another's bytes, a few have none."""
    random = Random(f"{seed}/files")  # noqa: S311 - reproducible, not secret
    files: list[File] = []
    if mix.partly_known:
        hospitals = tuple(sorted(hospitals, key=lambda one: (one.state, one.number)))
    for place, group in enumerate(_groups(random, hospitals, of_one_state=mix.partly_known)):
        fate = random.random()
        if fate < 0.02 and place > 5:
            continue
        has_neighbour = bool(files) and files[-1].content.publisher.state == group[0].state
        if fate < 0.07 and files and (has_neighbour or not mix.partly_known):
            twin = replace(files[-1], url=_url(random, group[0], len(files), files[-1].content), hospitals=_ccns(group))
            files.append(twin)
            continue
        for _ in range(2 if fate > 0.9 else 1):
            number = len(files)
            items = mix.large[number // 10] if number % 10 == 5 and number // 10 < len(mix.large) else 0
            content = _content(seed, number, group, items or random.randint(*mix.items))
            files.append(File(url=_url(random, group[0], number, content), content=content, hospitals=_ccns(group)))
    return tuple(files)


def _groups(random: Random, hospitals: tuple[Hospital, ...], *, of_one_state: bool) -> list[tuple[Hospital, ...]]:
    """The hospitals, some of them in systems of three that publish together."""
    groups: list[tuple[Hospital, ...]] = []
    left = list(hospitals)
    while left:
        size = 3 if len(left) > 3 and random.random() < 0.05 else 1
        size = sum(one.state == left[0].state for one in left[:size]) if of_one_state else size
        groups.append(tuple(left[:size]))
        del left[:size]
    return groups


def _ccns(group: tuple[Hospital, ...]) -> tuple[str, ...]:
    return tuple(hospital.ccn for hospital in group)


def _content(seed: int, number: int, group: tuple[Hospital, ...], items: int) -> Content:
    recipe = RECIPES[number % len(RECIPES)]
    places = tuple((hospital.name, hospital.postal) for hospital in group)
    tables = [_shape(f"{seed}/{number}/{table}", recipe, items) for table in range(recipe.tables)]
    return Content(
        shapes=tuple(tables),
        publisher=Publisher(name=group[0].name, state=group[0].state, places=places),
        encoding=recipe.encoding,
        container=recipe.container,
    )


def _shape(key: str, recipe: Recipe, items: int) -> Shape:
    return Shape(key=key, kind=recipe.kind, version=recipe.version, items=items, quirks=recipe.quirks)


def _url(random: Random, hospital: Hospital, number: int, content: Content) -> str:
    """An address: about three in ten on a vendor's host, most of those without a file name that says anything."""
    extension = "json" if content.shapes[0].kind == "json" else "csv"
    if random.random() < 0.3:
        target = random.choice(_VENDOR_TARGETS).format(n=number, ext=extension.upper())
        return f"http://files.vendor{1 + number % _VENDORS}.test{target}"
    wrapped = {"plain": "", "gzip": ".gz", "zip": ".zip"}[content.container]
    name = in_file_names(hospital)
    return f"http://{hospital.host}/pricing/{100000000 + number}_{name}_standardcharges.{extension}{wrapped}"


def in_file_names(hospital: Hospital) -> str:
    """Its name as files are named by it: without accents."""
    name = unicodedata.normalize("NFKD", hospital.name).encode("ascii", "ignore").decode()
    return "".join(letter if letter.isalnum() else "-" for letter in name).lower()


def _with_scripts(seed: int, files: tuple[File, ...], mix: Mix) -> tuple[File, ...]:
    """The files, some of them behind a script. What may be cut is JSON, where a cut is certain to be seen."""
    random = Random(f"{seed}/scripts")  # noqa: S311 - reproducible, not secret
    free = [place for place, file in enumerate(files) if file.host.endswith(".hospital.test")]
    random.shuffle(free)
    scripted = list(files)
    for script, share in mix.scripts:
        # Half of a small file that shows no header may hold nothing by which it is known.
        blind = mix.partly_known and "%" in script
        for _ in range(round(share if share >= 1 else share * len(files))):
            fitting = (place for place in free if _suits(files[place], script))
            place = next((place for place in fitting if files[place].shows_header or not blind), None)
            if place is None:
                break
            free.remove(place)
            scripted[place] = replace(files[place], script=script)
    return tuple(scripted)


def _suits(file: File, script: str) -> bool:
    if file.rows > 1000:
        return False  # the large files are there to be read
    if file.content.container != "plain":
        return script in ("404", "403", "html")
    return file.kind == "json" if script.startswith("cut") else file.kind != "json" if "gz-as" in script else True
