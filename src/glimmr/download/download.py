"""From an address to the shelf: the bytes under the name of their content, and nothing left in scratch."""

from dataclasses import replace
from pathlib import Path

from glimmr.download.bring import NotModified, bring
from glimmr.model import Fetched
from glimmr.net import Client
from glimmr.net.transfer import Progress
from glimmr.stores.blobs import Blobs, blob_key


def download(
    url: str,
    *,
    client: Client,
    blobs: Blobs,
    scratch: Path,
    tell: Progress | None = None,
    etag: str | None = None,
    last_modified: str | None = None,
    max_bytes: int | None = None,
    min_free_bytes: int = 0,
) -> Fetched | NotModified:
    """Bring what is at `url` home and put it on the shelf under `blob_key(file_id)`, which is also the `path` given.

    Blocking. Running it twice is harmless: equal bytes are one object. Raises what `bring` raises, and StorageFault.
    """
    answer = bring(
        url,
        client=client,
        scratch=scratch,
        tell=tell,
        etag=etag,
        last_modified=last_modified,
        max_bytes=max_bytes,
        min_free_bytes=min_free_bytes,
    )
    if isinstance(answer, NotModified):
        return answer
    path, key = Path(answer.path), blob_key(answer.file_id)
    try:
        blobs.put_file(path, key)
    finally:
        path.unlink(missing_ok=True)
    return replace(answer, path=key)
