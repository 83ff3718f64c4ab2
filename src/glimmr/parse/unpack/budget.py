"""How much a file has unpacked to and how many members it has, against the limits."""

from dataclasses import dataclass, field

from glimmr.errors import Bomb, TooManyMembers, UnpackedTooLarge
from glimmr.parse.limits import Limits

_MOST_LOOKED_AT_BYTES = 1 << 30  # a second of gz, forty of bz2


@dataclass(slots=True)
class Budget:
    """What one file may still ask of us; counted over all of its layers and members."""

    limits: Limits
    packed_bytes: int
    unpacked_bytes: int = 0
    members: int = 0
    names: set[str] = field(default_factory=set[str])

    def spend(self, size_bytes: int) -> None:
        """Count unpacked bytes. Raises Bomb or UnpackedTooLarge, and Enough when a look has taken its time."""
        self.limits.look_at_clock()
        self.unpacked_bytes += size_bytes
        self._allow(self.unpacked_bytes, "it unpacks to")

    @property
    def undecided(self) -> bool:
        """Whether more of it could still show that it is a bomb; past a size, nobody looks just for that."""
        return self.unpacked_bytes < _MOST_LOOKED_AT_BYTES

    def declare(self, size_bytes: int) -> None:
        """Look at a size that an archive only claims, before it is read. Raises Bomb or UnpackedTooLarge."""
        self._allow(self.unpacked_bytes + size_bytes, "it says that it unpacks to")

    def _allow(self, unpacked_bytes: int, says: str) -> None:
        limits = self.limits
        ratio = unpacked_bytes / max(1, self.packed_bytes)
        if unpacked_bytes > limits.bomb_bytes and ratio > limits.bomb_ratio:
            raise Bomb(f"{says} more than {ratio:.0f} times its size", reason="bomb")
        if unpacked_bytes > limits.max_unpacked_bytes:
            raise UnpackedTooLarge(
                f"{says} more than {limits.max_unpacked_bytes} bytes; see max_unpacked_bytes", reason="unpacked_size"
            )

    def enter(self) -> None:
        """Count a member. Raises TooManyMembers."""
        self.members += 1
        if self.members > self.limits.max_members:
            raise TooManyMembers(
                f"the archive has more than {self.limits.max_members} members; see max_members",
                reason="too_many_members",
            )

    def unique(self, name: str) -> str:
        """A member's name, or `name (2)` when an earlier member has it: every member has a result of its own."""
        one, number = name, 2
        while one in self.names:
            one, number = f"{name} ({number})", number + 1
        self.names.add(one)
        return one
