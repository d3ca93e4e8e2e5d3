"""What a server's robots.txt allows us."""

from dataclasses import dataclass
from typing import ClassVar
from urllib.robotparser import RobotFileParser

__all__ = ["Robots"]


@dataclass(frozen=True, slots=True)
class Robots:
    """Rules of one server; without a file everything is allowed (RFC 9309, section 2.3.1.3)."""

    rules: RobotFileParser | None = None
    name: ClassVar[str] = "hotspots"
    most_bytes: ClassVar[int] = 512_000  # RFC 9309 asks for 500 KiB at least
    longest_delay_s: ClassVar[float] = 60.0

    @classmethod
    def read(cls, body: bytes) -> "Robots":
        """Read the rules from the file's bytes."""
        rules = RobotFileParser()
        rules.parse(body[: cls.most_bytes].decode("utf-8", "replace").splitlines())
        return cls(rules)

    def allows(self, url: str) -> bool:
        """Whether the address may be asked for."""
        return self.rules is None or self.rules.can_fetch(self.name, url)

    @property
    def delay_s(self) -> float:
        """Pause between requests that the server asks for, in seconds, at most a minute."""
        asked = self.rules.crawl_delay(self.name) if self.rules else None
        return min(float(asked), self.longest_delay_s) if asked else 0.0
