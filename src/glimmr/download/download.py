"""From an address to the shelf: the bytes under the name of their content, and nothing left in scratch."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from glimmr.download.bring import NotModified, bring
from glimmr.download.ranges import ranges_of, unchanged
from glimmr.errors import BodyCut
from glimmr.model import Fetched, Ranges
from glimmr.net import Client
from glimmr.net.transfer import Progress, silent
from glimmr.sniff import HEAD_BYTES, Kind, confirmed, data_links, sniff, whole
from glimmr.stores.blobs import Blobs, blob_key, fault

_LARGEST_PAGE_BYTES = 4 * 2**20


def download(
    url: str,
    *,
    client: Client,
    blobs: Blobs,
    scratch: Path,
    tell: Progress | None = None,
    etag: str | None = None,
    last_modified: str | None = None,
    ranges: Ranges | None = None,
    max_bytes: int | None = None,
    min_free_bytes: int = 0,
    asks_again: Callable[[Fetched], bool] | None = None,
) -> Fetched | NotModified:
    """Bring what is at `url` home and put it on the shelf under `blob_key(file_id)`, which is also the `path` given.

    With `ranges` of the bytes we have, a server without validators worth something is asked for these alone; the whole
    comes when they differ, or when it does not give them. Blocking. Running it twice is harmless: equal bytes are one
    object. Bytes without their end go on the shelf, too, unless the caller `asks_again`: then they are thrown away, and
    BodyCut says so. Raises what `bring_file` raises, and StorageFault.
    """
    blobs.must_take_bytes()
    if ranges is not None:
        same = unchanged(url, ranges, client=client, tell=tell or silent, etag=etag, last_modified=last_modified)
        if same is not None:
            return same
    answer = bring_file(
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
        if asks_again is not None and _is_cut(path) and asks_again(answer):
            raise _without_end(answer)
        of_a_large_one = ranges_of(path)
        blobs.put_file(path, key)
    finally:
        path.unlink(missing_ok=True)
    return replace(answer, path=key, ranges=of_a_large_one)


def _is_cut(path: Path) -> bool:
    try:
        return whole(path) is not None
    except OSError as error:
        raise fault(error, f"could not read {path}") from error


def _without_end(answer: Fetched) -> BodyCut:
    said = f"{answer.final_url}: all came that was announced ({answer.size_bytes:,} bytes), and the file has no end"
    return BodyCut(said, url=answer.final_url, size_bytes=answer.size_bytes)


def bring_file(
    url: str, *, client: Client, scratch: Path, etag: str | None = None, last_modified: str | None = None, **more: Any
) -> Fetched | NotModified:
    """As `bring`, but a page with one link to a price file, or that only wants a yes, stands for that file.

    It is followed once.
    """
    asked = partial(bring, client=client, scratch=scratch, **more)
    answer = asked(url, etag=etag, last_modified=last_modified)
    if isinstance(answer, NotModified) or not (link := _only_link(answer)):
        return answer
    Path(answer.path).unlink(missing_ok=True)
    followed = asked(link, name=behind(url))
    assert isinstance(followed, Fetched), "it was not asked whether it changed"
    # What names a version of the file says nothing of the page, which is what the address will be asked for.
    weaknesses = tuple(sorted({*answer.weaknesses, *followed.weaknesses}))
    return replace(followed, etag=None, last_modified=None, weaknesses=weaknesses)


def behind(url: str) -> str:
    """The name in scratch of the file that the page at `url` leads to."""
    return f"{url}#"


def _only_link(page: Fetched) -> str | None:
    """Where a page leads, if it is one and leads to just one price file, or wants to be told that we want the file."""
    if page.size_bytes > _LARGEST_PAGE_BYTES:
        return None
    head = Path(page.path).read_bytes()
    if sniff(head[:HEAD_BYTES], page.size_bytes) is not Kind.HTML:
        return None
    links = data_links(head, page.final_url)
    return links[0] if len(links) == 1 else confirmed(head, page.final_url)
