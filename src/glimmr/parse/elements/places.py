"""Which byte of the file an offset in its clean text was."""

from dataclasses import dataclass

from glimmr.parse.text import TextBlock, cleaned


@dataclass(slots=True)
class _Piece:
    """A block of the text: where it begins in the text and in the file; how far both have been gone through."""

    begins: int
    block: TextBlock
    text_at: int = 0
    file_at: int = 0

    def byte(self, offset: int) -> int:
        """The byte in the file of an offset in the block."""
        raw = self.block.raw
        if raw is None:
            return self.block.begins + offset
        if offset < self.text_at:
            self.text_at = self.file_at = 0
        size = offset - self.text_at
        while self.text_at < offset and self.file_at < len(raw) and size:
            end = _whole(raw, self.file_at + size)
            passed = len(cleaned(raw[self.file_at : end])[0])
            if self.text_at + passed <= offset:
                self.text_at += passed
                self.file_at = end
                size = offset - self.text_at
            else:  # what was recoded takes more room in the text than in the file
                size //= 2
        return self.block.begins + self.file_at


class Places:
    """The blocks of text that are still looked at."""

    def __init__(self) -> None:
        self._pieces: list[_Piece] = []

    def add(self, begins: int, block: TextBlock, forgotten: int) -> None:
        """A block that begins at an offset of the text. Of what stands before `forgotten` nobody will ask."""
        self._pieces = [one for one in self._pieces if one.begins + len(one.block.data) >= forgotten]
        self._pieces.append(_Piece(begins, block))

    def byte(self, offset: int) -> int:
        """The byte in the file (UTF-16: in the text as UTF-8) of an offset in the text."""
        found = next((one for one in reversed(self._pieces) if one.begins <= offset), None)
        return offset if found is None else found.byte(offset - found.begins)


def _whole(raw: bytes, end: int) -> int:
    r"""Where a piece may end that should end at `end`: behind the character, or the `\r\n`, that stands there."""
    if raw[end - 1 : end + 1] == b"\r\n":
        return end + 1
    for _ in range(3):
        if end < len(raw) and raw[end] & 0xC0 == 0x80:
            end += 1
    return min(end, len(raw))
