"""One file from its bytes to its report: members, formats, outcomes."""

import errno
import functools
import hashlib
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from glimmr.errors import (
    Bomb,
    ContentError,
    CutShort,
    DiskFull,
    Encrypted,
    ForbiddenDtd,
    NoPriceTable,
    NotAPriceFile,
    NotReconciled,
    StorageFault,
    TooDeep,
    TooManyMembers,
    UnpackedTooLarge,
    Unparseable,
)
from glimmr.model import FileReport, MemberReport
from glimmr.outcomes import Outcome
from glimmr.parse.fallback import read_text
from glimmr.parse.formats import BOOKS, FORMATS
from glimmr.parse.intake import Intake
from glimmr.parse.limits import Enough, Limits
from glimmr.parse.price_list import PriceList
from glimmr.parse.sheets.sheet import Sheet
from glimmr.parse.tables.layouts import read_grid
from glimmr.parse.unpack import Container, Member
from glimmr.parse.unpack.entry import shown
from glimmr.sniff import Kind

_STEP_BYTES = 1 << 20
_TELL_SECONDS = 1.0
_OUTCOMES: dict[type[ContentError], Outcome] = {
    NotAPriceFile: Outcome.NOT_A_PRICE_FILE,
    NoPriceTable: Outcome.NO_PRICE_TABLE,
    Unparseable: Outcome.UNPARSEABLE,
    CutShort: Outcome.INCOMPLETE,
    Bomb: Outcome.UNSAFE,
    Encrypted: Outcome.UNSAFE,
    ForbiddenDtd: Outcome.UNSAFE,
    TooDeep: Outcome.TOO_LARGE,
    TooManyMembers: Outcome.TOO_LARGE,
    UnpackedTooLarge: Outcome.TOO_LARGE,
}
# Kinds that no format reads, and what that means.
_NO_FORMAT: dict[Kind, ContentError] = {
    Kind.EMPTY: NotAPriceFile("it is empty", reason="empty"),
    Kind.HTML: NotAPriceFile("a web page", reason="html"),
    Kind.MHTML: NotAPriceFile("a web page saved as one file", reason="html"),
    Kind.PDF: NotAPriceFile("a PDF document", reason="pdf"),
    Kind.OOXML_DOCUMENT: NotAPriceFile("a Word or PowerPoint document", reason="document"),
    Kind.OLE_DOCUMENT: NotAPriceFile("a Word or PowerPoint document", reason="document"),
    Kind.ENCRYPTED_OFFICE: Encrypted("the workbook or document needs a password", reason="encrypted"),
    Kind.RTF: NotAPriceFile("an RTF document", reason="document"),
    Kind.IMAGE: NotAPriceFile("an image", reason="image"),
    Kind.LFS_POINTER: NotAPriceFile("a Git LFS pointer instead of the file", reason="lfs_pointer"),
    Kind.PAYER_JSON: NotAPriceFile("a health insurer's file (Transparency in Coverage)", reason="payer_file"),
    Kind.RAR: Unparseable("a RAR archive, which is not supported", reason="unsupported_format"),
    Kind.OTHER_ARCHIVE: Unparseable("an archive of a kind that is not supported", reason="unsupported_format"),
    Kind.DATABASE: Unparseable("an Access or SQLite database, which is not read", reason="unsupported_format"),
    Kind.UNKNOWN: Unparseable("bytes of an unknown kind", reason="unknown_format"),
}
# When no member is ok, the file ends like the member that says most.
_WORST_FIRST = (
    Outcome.INCOMPLETE,
    Outcome.UNSAFE,
    Outcome.TOO_LARGE,
    Outcome.UNPARSEABLE,
    Outcome.NO_PRICE_TABLE,
    Outcome.NOT_A_PRICE_FILE,
)


class _Watch:
    """Tells how far the file is read, about once a second, never going back."""

    def __init__(self, total: int, tell: Callable[..., None], rows: Callable[[], int], limits: Limits) -> None:
        self._limits = limits
        self._total = total
        self._tell = tell
        self._rows = rows
        self._next = time.monotonic() + _TELL_SECONDS
        self._furthest = 0

    def __call__(self, file: IO[bytes]) -> IO[bytes]:
        watch = self

        class Watched:
            """The file itself, seen by the watch at every read."""

            def read(self, size: int = -1, /) -> bytes:
                part = file.read(size)
                watch.at(file.tell())
                return part

            def seek(self, offset: int, whence: int = 0, /) -> int:
                return file.seek(offset, whence)

            def tell(self) -> int:
                return file.tell()

            def seekable(self) -> bool:
                return True

        return Watched()  # pyright: ignore[reportReturnType]

    def at(self, offset: int) -> None:
        self._limits.look_at_clock()
        now = time.monotonic()
        # zipfile looks at the end first: a jump to the last bytes is no progress.
        if now >= self._next and offset < self._total:
            self._next = now + _TELL_SECONDS
            self._furthest = max(self._furthest, offset)
            self._tell(bytes=self._furthest, total=self._total, rows=self._rows())


def read_file(
    path: Path, to: Path, *, file_id: str | None, limits: Limits, tell: Callable[..., None], version: str
) -> FileReport:
    """`glimmr.parse.parse`, whole."""
    started = time.monotonic()
    try:
        size_bytes = path.stat().st_size
        file_id = file_id or sha256(path)
        price_list = PriceList(to, file_id)
    except OSError as error:
        raise StorageFault(f"cannot read {path} or write to {to}: {error}") from error
    limits = limits.begun()
    watch = _Watch(size_bytes, tell, lambda: price_list.charges + price_list.rates, limits)
    container = Container(path, limits, to, watch)
    reports: list[MemberReport] = []
    unseen = False
    try:
        try:
            for member in container.members():
                reports.extend(_read_member(member, price_list, limits))
        except Enough:
            unseen = not reports
        price_list.close()
    except OSError as error:
        price_list.abandon()
        fault = DiskFull if error.errno == errno.ENOSPC else StorageFault
        raise fault(f"cannot read {path} or write to {to}: {error}") from error
    except BaseException:
        price_list.abandon()
        raise
    outcome, reason, message = _of_members(reports)
    if unseen:
        outcome, reason, message = Outcome.OK, "", "opening it takes longer than a look"
    tell(bytes=size_bytes, total=size_bytes, rows=price_list.charges + price_list.rates)
    return FileReport(
        file_id=file_id,
        bytes=size_bytes,
        container=">".join(container.chain) or None,
        outcome=outcome,
        reason=reason,
        message=message,
        rows_in=sum(one.rows_in for one in reports),
        items_out=sum(one.items_out for one in reports),
        charges=price_list.charges,
        rates=price_list.rates,
        rows_rejected=price_list.rejects,
        seconds=round(time.monotonic() - started, 3),
        peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        parser_version=version,
        members=tuple(reports),
    )


def sha256(path: Path) -> str:
    """The sha256 (hex) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_member(member: Member, price_list: PriceList, limits: Limits) -> Iterator[MemberReport]:
    """A member's report; one for each sheet when it is a workbook."""
    open_book = BOOKS.get(member.kind)
    if member.failure is not None or open_book is None:
        yield _read_table(member.name, member, price_list, limits, lambda intake: _read_single(member, intake))
        return
    try:
        count = 0
        for count, sheet in enumerate(open_book(member.stream, limits), 1):
            if count > limits.max_members:
                raise TooManyMembers(
                    f"the workbook has more than {limits.max_members} sheets; see max_members",
                    reason="too_many_members",
                )
            name = shown(sheet.name) if member.name is None else f"{member.name}!{shown(sheet.name)}"
            yield _read_table(name, member, price_list, limits, functools.partial(_read_sheet, sheet))
        if count == 0:
            raise NoPriceTable("the workbook has no sheets", reason="no_header")
    except ContentError as failure:
        yield _read_table(member.name, member, price_list, limits, functools.partial(_refuse, failure))


def _read_single(member: Member, intake: Intake) -> None:
    if member.failure is not None:
        raise member.failure
    read = FORMATS.get(member.kind)
    if read is None:
        unread = Unparseable(f"{member.kind} is not read yet", reason="unsupported_format")
        raise _NO_FORMAT.get(member.kind, unread)
    intake.facts.begins = member.stream.skipped_bytes
    if member.kind is Kind.DELIMITED:
        read_text(member.stream, intake)
    else:
        read(member.stream, intake)


def _read_sheet(sheet: Sheet, intake: Intake) -> None:
    intake.facts.format = sheet.format
    if sheet.hidden:
        intake.findings.add("GL-HIDDEN-SHEET", shown(sheet.name))
    failures: list[ContentError] = []

    def whole_rows() -> Iterator[list[str]]:
        """Rows up to where the sheet breaks: what was read of it is to be handed over before that is told."""
        try:
            yield from sheet.rows
        except ContentError as failure:
            failures.append(failure)

    try:
        read_grid(whole_rows(), intake, prefix=f"{shown(sheet.name)}!R")
    except NoPriceTable:
        if failures:
            raise failures[0] from None
        raise
    if failures:
        raise failures[0]


def _refuse(failure: ContentError, intake: Intake) -> None:
    del intake
    raise failure


def _read_table(
    name: str | None, member: Member, price_list: PriceList, limits: Limits, read: Callable[[Intake], None]
) -> MemberReport:
    intake = Intake(price_list, name, limits)
    failure = None
    try:
        read(intake)
        if member.stream.damage is not None:
            raise member.stream.damage
    except Enough:
        intake.stopped = True
    except ContentError as error:
        # What looks like a cut or a strange table may only be the damage of its container.
        damaged = member.stream.damage if isinstance(error, NoPriceTable | CutShort | Unparseable) else None
        failure = damaged or error
        if isinstance(error, NoPriceTable | Unparseable):
            failure = member.stream.drain() or failure  # a bomb has no table either
    intake.finish()
    if intake.rows_in != intake.items_out + intake.rows_rejected:
        raise NotReconciled(
            f"member {name}: {intake.rows_in} items read, {intake.items_out} in charges, "
            f"{intake.rows_rejected} rejected"
        )
    outcome, reason, message = (Outcome.OK, "", "") if intake.stopped else _ended(intake, failure, limits)
    if outcome == Outcome.NO_PRICE_TABLE and intake.facts.layout is None and name is None:
        intake.rules.without_table(intake.facts.header, intake.facts.format)
    if member.stream.damage is not None:
        intake.findings.add("GL-BROKEN-CONTAINER", name or "end", value=str(member.stream.damage))
    if outcome != Outcome.OK and (name is not None or isinstance(failure, TooManyMembers)):
        intake.findings.add("GL-MEMBER", name or "container", name=outcome, value=message)
    facts = intake.facts
    return MemberReport(
        member=name,
        format=facts.format or (member.kind.value if member.kind not in FORMATS else None),
        layout=facts.layout,
        template_version=facts.template_version,
        encoding=facts.encoding,
        delimiter=facts.delimiter,
        header_row=facts.header_row,
        outcome=outcome,
        reason=reason,
        message=message,
        rows_in=intake.rows_in,
        items_out=intake.items_out,
        charges=intake.charges,
        rates=intake.rates,
        rows_rejected=intake.rows_rejected,
        header=facts.header,
        columns=facts.columns if limits.head_items is not None else (),
        findings=intake.findings.report(),
    )


def _ended(intake: Intake, failure: ContentError | None, limits: Limits) -> tuple[Outcome, str, str]:
    """How a member ended: (outcome, reason, message)."""
    if isinstance(failure, CutShort):
        intake.findings.add("GL-CUT", failure.position or "end", value=str(failure))
    elif failure is not None:
        return _OUTCOMES[type(failure)], failure.reason, str(failure)
    if intake.rows_rejected * 100 > limits.max_rejected_percent * intake.rows_in:
        message = f"{intake.rows_rejected} of {intake.rows_in} items were rejected"
        if not (isinstance(failure, CutShort) and intake.rows_rejected <= 1):
            return Outcome.UNPARSEABLE, "too_many_rejects", message
    if isinstance(failure, CutShort):
        return Outcome.INCOMPLETE, failure.reason, str(failure)
    if intake.charges == 0:
        return Outcome.NO_PRICE_TABLE, "no_charges", "the table is empty"
    if not intake.has_price:
        return Outcome.NO_PRICE_TABLE, "no_charges", "no item has an amount, a percentage or an algorithm"
    return Outcome.OK, "", ""


def _of_members(reports: list[MemberReport]) -> tuple[Outcome, str, str]:
    """How the file ended, from how its members did."""
    if any(one.outcome == Outcome.OK for one in reports):
        # What has no name is the file itself: its archive was cut, so members may be missing.
        cut = next((one for one in reports if one.member is None and one.outcome == Outcome.INCOMPLETE), None)
        if cut is not None:
            return Outcome.INCOMPLETE, cut.reason, cut.message
        failed = [
            one
            for one in reports
            if one.outcome in {Outcome.UNPARSEABLE, Outcome.INCOMPLETE, Outcome.TOO_LARGE, Outcome.UNSAFE}
        ]
        return Outcome.OK, "partial" if failed else "", "; ".join(f"{one.member}: {one.message}" for one in failed[:5])
    for outcome in _WORST_FIRST:
        for one in reports:
            if one.outcome == outcome:
                return outcome, one.reason, one.message
    return Outcome.NOT_A_PRICE_FILE, "empty", "the archive has no members"
