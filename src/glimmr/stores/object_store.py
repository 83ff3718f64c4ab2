"""An object store by URL: how it is opened, how long anybody waits for it, and what its errors mean."""

import os
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError
from obstore.store import ObjectStore, from_url

TIMEOUT_SECONDS = 30.0
"""How long one answer is waited for, where no setting says otherwise."""

_PART_BYTES = 5 * 2**20  # the least S3 takes, of at most 10,000: 50 GiB
_PARTS_AT_ONCE = 4
_CONNECT_SECONDS = 5.0
_RETRIES = 5
_ENOUGH = 200  # letters
_CLOUDS = {"s3": "AWS", "s3a": "AWS", "gs": "GOOGLE", "az": "AZURE", "abfs": "AZURE", "abfss": "AZURE"}
# The environment names these options as `AWS_ALLOW_HTTP` …; obstore reads them only where it is given none itself.
_OPTIONS = ("allow_http", "allow_invalid_certificates", "proxy_url", "proxy_excludes")

_MEANINGS = (
    (r"NoSuchBucket|ContainerNotFound|bucket does not exist",
     "there is no such bucket: make it, or mend GLIMMR_STORE_URL"),
    (r"NoSuchKey|BlobNotFound|Object at location .* not found", "it is not there any more"),
    (r"InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|ExpiredToken|AuthenticationFailed|401 Unauth",
     "the credentials are not accepted (on S3: mend AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the host's role)"),
    (r"Missing ?AccessKeyId|[Ee]rror getting credentials|latest/api/token|169\.254\.169\.254|metadata\.google",
     "there are no credentials (on S3: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the host a role)"),
    (r"AuthorizationHeaderMalformed|PermanentRedirect|301 Moved", "the bucket is in another region: set AWS_REGION"),
    (r"AccessDenied|403 Forbidden",
     "the store refuses: are the credentials right, and may they list, read, write and delete below GLIMMR_STORE_URL?"),
    (r"builder error", "an endpoint with http:// needs AWS_ALLOW_HTTP=true"),
    (r"timed out|TimedOut|Timeout", "the store does not answer in time; jobs wait until it does"),
    (r"SlowDown|429 Too Many|50[0234] ", "the store is overloaded or out of order; jobs wait until it is well"),
    (r"error sending request|[Cc]onnect|dns error|IncompleteMessage|decoding response body",
     "the store cannot be reached; jobs wait until it can (on S3: is AWS_ENDPOINT_URL right?)"),
)  # fmt: skip


def opened(url: str, timeout_seconds: float) -> ObjectStore:
    """The store below `url`; credentials and endpoint are what the environment says (`AWS_…`, `GOOGLE_…`, `AZURE_…`).

    It keeps its connections, so that it is worth keeping. Raises obstore's BaseError where something is missing.
    """
    prefix = _CLOUDS.get(urlsplit(url).scheme, "")
    given = {name: os.environ.get(f"{prefix}_{name.upper()}", "") for name in _OPTIONS}
    client: Any = {name: value for name, value in given.items() if value}  # texts are taken, too
    client |= {"timeout": _span(timeout_seconds), "connect_timeout": _span(min(_CONNECT_SECONDS, timeout_seconds))}
    retries: Any = {"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=timeout_seconds)}
    return from_url(url, client_options=client, retry_config=retries)


def delta_options(timeout_seconds: float) -> dict[str, str]:
    """The same limits for the Delta library, which opens the store itself; it commits by conditional put by default."""
    return {
        "timeout": _span(timeout_seconds),
        "connect_timeout": _span(min(_CONNECT_SECONDS, timeout_seconds)),
        "max_retries": str(_RETRIES),
        "retry_timeout": _span(timeout_seconds),
    }


def size_bytes(store: ObjectStore, key: str) -> int | None:
    """How large an object is, None when there is none. Raises as `look`."""
    found = look(store, key)
    return found["size"] if found else None


def look(store: ObjectStore, key: str) -> Mapping[str, Any] | None:
    """What the store says of an object, None when there is none. Raises what obstore raises, for a missing bucket, too.

    The answer to HEAD has no body, so a missing bucket looks like a missing object; a listing tells them apart. Who
    took a bucket out of reach for lost bytes would bring them all home again.
    """
    try:
        return obstore.head(store, key)
    except FileNotFoundError:
        next(iter(obstore.list(store, prefix=key)), None)
        return None


def upload(store: ObjectStore, path: Path, key: str, *, replacing: bool) -> None:
    """Stream a file up, in parts where it is large, in constant memory. An unfinished upload is not an object.

    A small one that somebody else put there meanwhile stays, unless it is to be replaced.
    """
    if path.stat().st_size <= _PART_BYTES:
        try:
            obstore.put(store, key, path.read_bytes(), mode="overwrite" if replacing else "create")
        except AlreadyExistsError:
            return  # theirs, or ours after an answer that got lost: equal bytes have equal keys
    else:
        obstore.put(store, key, path, use_multipart=True, chunk_size=_PART_BYTES, max_concurrency=_PARTS_AT_ONCE)


def fetch(store: ObjectStore, key: str, to: Path, size_bytes: int) -> None:
    """Bring an object down into the file `to`, by ranges: each is one request with its own time limit."""
    descriptor = os.open(to, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o644)

    def bring(start: int) -> None:
        length = min(_PART_BYTES, size_bytes - start)
        data = memoryview(obstore.get_range(store, key, start=start, length=length))
        while data:
            written = os.pwrite(descriptor, data, start)
            data, start = data[written:], start + written

    try:
        with ThreadPoolExecutor(_PARTS_AT_ONCE) as pool:
            for _ in pool.map(bring, range(0, size_bytes, _PART_BYTES)):
                pass
    finally:
        os.close(descriptor)


def told(error: BaseException, text: str) -> str:
    """An error's `text` on one line; where its meaning is known that comes first, and less is enough of the text."""
    everything = f"{error} {text}"
    known = next((sentence for pattern, sentence in _MEANINGS if re.search(pattern, everything)), "")
    return f"{known} ({text[:_ENOUGH]})" if known else text


def _span(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
