"""What can go wrong, named by what happened (what to do about it is `retry`'s).

GlimmrError
├── UsageError                     the command line, a setting or a list of the user's is wrong
├── FetchError                     an address did not give its bytes
│   ├── BadUrl · ForbiddenScheme · ForbiddenAddress · FileTooLarge
│   ├── NameNotFound · NameLookupFailed
│   ├── ConnectTimeout · ConnectionRefused · ConnectionReset · EmptyReply
│   ├── HeaderTimeout · Stalled · TooSlow · DeadlineExceeded
│   ├── Http2Error · ProtocolError · DecodingError · BodyCut · RangeMismatch · BadRedirect
│   ├── TlsHandshake · NoTls · TlsUntrusted · TlsExpired
│   └── HttpError (status)
│       ├── NotFound · Gone · UnavailableForLegalReasons
│       ├── AuthRequired · Forbidden · NotAcceptable · ChallengePage
│       ├── RateLimited · Unavailable (retry_after_seconds)
│       └── BadRequest · ServerError · NoContent
├── ContentError                   the bytes are not what is due
│   ├── NotAPriceFile · NoPriceTable · Unparseable (reason)
│   ├── CutShort
│   └── Bomb · TooDeep · TooManyMembers · UnpackedTooLarge · Encrypted · ForbiddenDtd
├── LocalFault                     this machine or its services: charges no attempt
│   ├── DiskFull · StorageFault · DatabaseFault · ShuttingDown
├── HostRests (seconds)            a host that failed again and again is left alone: charges no attempt
├── ChildError                     work in a child process
│   ├── OutOfMemory · OutOfTime · ChildCrashed
├── NotReconciled                  rows in ≠ items out + rows rejected: a bug of ours
├── LeaseLost                      this job belongs to somebody else now
└── JobCancelled                   an operator stopped it
    └── FileRemoved                what it works on is not known any more
"""


class GlimmrError(Exception):
    """The root. `str(error)` says what happened, to what, and what to do."""


class UsageError(GlimmrError):
    """The command line, a setting or a list of the user's is wrong."""


class FetchError(GlimmrError):
    """An address did not give its bytes. `url` is redacted before it is shown."""

    def __init__(self, message: str = "", *, url: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or ""))
        self.url = url


class BadUrl(FetchError):
    """The address is not a URL."""


class ForbiddenScheme(FetchError):
    """Only http and https are asked."""


class ForbiddenAddress(FetchError):
    """The name resolves to an address that is not public."""


class FileTooLarge(FetchError):
    """The file is larger than the size setting."""


class NameNotFound(FetchError):
    """The host name does not exist."""


class NameLookupFailed(FetchError):
    """The host name could not be looked up just now."""


class ConnectTimeout(FetchError):
    """No connection within the time limit."""


class ConnectionRefused(FetchError):
    """The host refused the connection, or is not reachable."""


class ConnectionReset(FetchError):
    """The connection broke before the body was whole."""


class EmptyReply(FetchError):
    """The server closed the connection without an answer."""


class HeaderTimeout(FetchError):
    """No complete answer header within the time limit."""


class Stalled(FetchError):
    """Bytes stopped coming."""


class TooSlow(FetchError):
    """Fewer bytes a second than the minimum."""


class DeadlineExceeded(FetchError):
    """The whole transfer took longer than its deadline."""


class Http2Error(FetchError):
    """An HTTP/2 or HTTP/3 stream failed."""


class ProtocolError(FetchError):
    """The answer is not HTTP."""


class DecodingError(FetchError):
    """The content encoding could not be decoded."""


class BodyCut(FetchError):
    """The body ends too early. `size_bytes` came, where all did that was announced and the file has no end."""

    def __init__(self, message: str = "", *, url: str = "", size_bytes: int = 0) -> None:
        super().__init__(message, url=url)
        self.size_bytes = size_bytes


class RangeMismatch(FetchError):
    """A partial answer does not continue where we stopped. `size_bytes` is the file's, where the server says it."""

    def __init__(self, message: str = "", *, url: str = "", size_bytes: int | None = None) -> None:
        super().__init__(message, url=url)
        self.size_bytes = size_bytes


class BadRedirect(FetchError):
    """A redirect loops, leads nowhere, or there are too many."""


class TlsHandshake(FetchError):
    """The TLS handshake failed."""


class NoTls(FetchError):
    """What answers there speaks no TLS."""


class TlsUntrusted(FetchError):
    """The certificate's issuer is not trusted."""


class TlsExpired(FetchError):
    """The certificate is expired or belongs to another host."""


class HttpError(FetchError):
    """The server answered with an error status."""

    def __init__(
        self, message: str = "", *, url: str = "", status: int = 0, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(message, url=url)
        self.status = status
        self.retry_after_seconds = retry_after_seconds


class NotFound(HttpError):
    """Nothing is at this address (404)."""


class Gone(HttpError):
    """The server says the file is gone for good (410)."""


class UnavailableForLegalReasons(HttpError):
    """The server may not show the file (451)."""


class AuthRequired(HttpError):
    """The server wants a login or a payment (401, 402, 407)."""


class Forbidden(HttpError):
    """The server refuses (403)."""


class NotAcceptable(HttpError):
    """The server does not like how we ask (406, 999)."""


class ChallengePage(HttpError):
    """The server sent a robot check instead of the file."""


class RateLimited(HttpError):
    """The server wants us to slow down (429)."""


class Unavailable(HttpError):
    """The server is overloaded or being repaired (503)."""


class BadRequest(HttpError):
    """The server does not understand the request (400, 405, 415, 501, 505 and other 4xx)."""


class ServerError(HttpError):
    """The server failed (5xx, 408, 425)."""


class NoContent(HttpError):
    """A success status without the file (204, 203, 304 nobody asked for)."""


class ContentError(GlimmrError):
    """The bytes are not what is due. `reason` is one of the outcome's closed list."""

    def __init__(self, message: str = "", *, reason: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or ""))
        self.reason = reason


class NotAPriceFile(ContentError):
    """The bytes are a web page, a document, an image, or there are none."""


class NoPriceTable(ContentError):
    """Read, but there is no table with a price in it."""


class Unparseable(ContentError):
    """The structure is broken, or the format is not supported."""


class CutShort(ContentError):
    """The content ends in the middle of a record or element. `position` is where, when that is known."""

    def __init__(self, message: str = "", *, reason: str = "", position: str = "") -> None:
        super().__init__(message, reason=reason)
        self.position = position


class Bomb(ContentError):
    """It unpacks to far more than it should."""


class TooDeep(ContentError):
    """Containers inside containers inside containers."""


class TooManyMembers(ContentError):
    """The archive has more members than the setting allows."""


class UnpackedTooLarge(ContentError):
    """The unpacked bytes are over the size setting."""


class Encrypted(ContentError):
    """The archive or workbook needs a password."""


class ForbiddenDtd(ContentError):
    """XML with a document type or entities."""


class LocalFault(GlimmrError):
    """A fault of this machine or one of its services; not the file's fault, and no attempt is charged."""


class DiskFull(LocalFault):
    """No space left on the disk."""


class StorageFault(LocalFault):
    """The folder or object store did not take or give bytes."""


class DatabaseFault(LocalFault):
    """The database did not answer."""


class ShuttingDown(LocalFault):
    """The process is stopping; the job is handed back."""


class HostRests(GlimmrError):
    """A host that failed again and again is left alone for a while: `seconds` from now."""

    def __init__(self, message: str = "", *, seconds: float = 0.0) -> None:
        super().__init__(message)
        self.seconds = seconds


class ChildError(GlimmrError):
    """Work in a child process failed as a whole."""


class OutOfMemory(ChildError):
    """The child needed more memory than it may take."""


class OutOfTime(ChildError):
    """The child needed more time than it may take."""


class ChildCrashed(ChildError):
    """The child died without an answer."""


class NotReconciled(GlimmrError):
    """Rows in are not items out + rows rejected: a bug of ours, so nothing is published."""


class LeaseLost(GlimmrError):
    """The job belongs to another run now; nothing may be written."""


class JobCancelled(GlimmrError):
    """An operator stopped this job."""


class FileRemoved(JobCancelled):
    """What the job works on was removed meanwhile: nobody wants it any more."""
