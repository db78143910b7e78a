"""How long we wait for a server, and how much we ask of it at once."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Seconds and bytes.

    `connect` covers everything up to a working connection: name, TCP, proxy, TLS. `command` covers one exchange
    that moves no bulk; `check` a mere question whether anybody is there. A bulk transfer may take longer as long as
    it keeps up `pace` (bytes per second) and is never silent for `silence`. `verdict` is how long an SMTP server may
    think about a message that it has got (RFC 5321 §4.5.3.2.6 asks for ten minutes). Messages are asked for in
    batches of so many, and so many bytes.
    """

    connect: float = 30.0
    command: float = 60.0
    check: float = 12.0
    silence: float = 60.0
    verdict: float = 600.0
    goodbye: float = 2.0
    pace: int = 8 * 1024
    batch: int = 250
    batch_bytes: int = 16 * 1024 * 1024

    def transfer(self, size: int) -> float:
        """How long moving so many bytes may take."""
        return self.command + size / self.pace


DEFAULT_BOUNDS = Bounds()
