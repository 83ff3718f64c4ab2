"""CMS's rule for the name of a price file."""

import re
from pathlib import PurePosixPath

from glimmr.model import Example, FileReport, Finding

# 45 CFR 180.50(d)(5): <ein>_<hospital-name>_standardcharges.[json|xml|csv]; CMS's validator lets an NPI follow the EIN.
_NAME = re.compile(r"\d{2}-?\d{7}(-\d{10})?_.+_standardcharges\.(csv|json)", re.IGNORECASE | re.ASCII)
_PACKED = frozenset((".gz", ".bz2", ".xz", ".zst", ".zip", ".7z"))


def check_file_name(name: str, report: FileReport) -> Finding | None:
    """What is wrong with the name of a file, or with those of the files in an archive."""
    inside = [PurePosixPath(one.member.replace("\\", "/")).name for one in report.members if one.member]
    path = PurePosixPath(name)
    outside = path.stem if path.suffix.lower() in _PACKED else path.name
    names = inside if report.container and inside else [outside]
    wrong = [one for one in names if not _NAME.fullmatch(one)]
    if not wrong:
        return None
    shown = tuple(Example(position="file name", field=None, value=one[:200]) for one in wrong[:5])
    return Finding(code="GL-FILE-NAME", severity="warning", count=len(wrong), examples=shown)
