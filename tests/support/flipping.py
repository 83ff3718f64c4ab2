"""A server that gives ranges of a file and has another ETag for it each time, as load balancers without care do."""

from dataclasses import dataclass, field

from tests.support.http_server import Request, Wire, answer, head


@dataclass
class Flipping:
    """Gives ranges of its body, and another ETag each time; `sent` counts the bytes of bodies."""

    body: bytes
    gives_etags: bool = True
    sent: int = 0
    asked: list[str] = field(default_factory=list[str])
    odd: str = ""  # how it fails at ranges

    async def __call__(self, request: Request, wire: Wire) -> bool:
        text = request.headers.get("range", "")
        self.asked.append(text)
        size, says = len(self.body), [f'ETag: "{len(self.asked)}"'] if self.gives_etags else []
        if not text or self.odd == "whole":
            self.sent += size
            await wire.send(head("200 OK", f"Content-Length: {size}", *says) + self.body)
            return True
        if self.odd.startswith(("4", "5")):
            return bool(await answer(b"no", self.odd)(request, wire))
        start, _, end = text.removeprefix("bytes=").partition("-")
        piece = self.body[int(start) : int(end) + 1]
        if self.odd == "cut":
            await wire.send(
                head("206 Partial Content", f"Content-Range: bytes {start}-{end}/{size}", "Content-Length: 9")
            )
            return False
        told = {"other size": size + 1, "no size": "*"}.get(self.odd, size)
        range_told = f"Content-Range: bytes {int(start) + (self.odd == 'elsewhere')}-{end}/{told}"
        self.sent += len(piece)
        await wire.send(head("206 Partial Content", range_told, f"Content-Length: {len(piece)}", *says) + piece)
        return True
