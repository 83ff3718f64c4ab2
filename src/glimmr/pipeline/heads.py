"""What the first bytes of a file say, read by the parser in a child process that is kept for more of them."""

import tempfile
from pathlib import Path

from glimmr.jobs.job import Tell
from glimmr.jobs.kept import KeptChild
from glimmr.model import FileReport
from glimmr.settings import Settings
from glimmr.stores.blobs import fault

# A look at so little takes some milliseconds, and as long as it takes on a busy machine: what it says must not hang on
# that. The first one also starts the child.
_LOOK_SECONDS, _SECONDS = 10.0, 20.0


class Heads:
    """Looks at beginnings of files, whoever in this process has some."""

    def __init__(self, settings: Settings, scratch: Path) -> None:
        self._child = KeptChild(settings.child_memory_bytes, _SECONDS)
        self._scratch = scratch

    def look(self, head: bytes, tell: Tell) -> FileReport:
        """The report on a file that begins so, as `glimmr inspect` gives it. Raises ChildError, LocalFault."""
        try:
            with tempfile.TemporaryDirectory(prefix="head-", dir=self._scratch) as folder:
                path = Path(folder) / "head"
                path.write_bytes(head)
                asked = {"path": str(path), "seconds": _LOOK_SECONDS}
                return FileReport.from_dict(self._child.run("glimmr.parse:inspect_in_child", asked, tell))
        except OSError as error:
            raise fault(error, f"nothing can be kept in {self._scratch}") from error

    def close(self) -> None:
        """End the child."""
        self._child.close()
