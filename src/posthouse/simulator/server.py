"""The provider on the network: its listeners, and an end that always comes."""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from posthouse.simulator import smtp
from posthouse.simulator.imap.commands import COMMANDS
from posthouse.simulator.imap.session import Session
from posthouse.simulator.office import Office, utc_now
from posthouse.simulator.profiles import PLAIN, Profile
from posthouse.simulator.wire import HANDSHAKE_SECONDS, Presence, Wire

PARTING_SECONDS = 1.0
"""How long `stop` lets goodbyes travel before it cuts the connections."""

BACKLOG = 1024


class Provider(Office):
    """One simulated mail provider: users to add, mail to deliver, faults to set, servers to start and stop.

    Users, mail and faults may be changed at any time, from the event loop's thread.
    """

    def __init__(self, profile: Profile = PLAIN, now: Callable[[], datetime] = utc_now) -> None:
        super().__init__(profile, now)
        # The ports in use between `start` and `stop`; 0 where nobody listens.
        self.imap_port = self.imaps_port = self.smtp_port = self.smtps_port = 0
        self._listeners: list[asyncio.Server] = []
        self._wires: set[Wire] = set()

    @property
    def connections(self) -> int:
        """How many clients are connected now."""
        return len(self._wires)

    @property
    def present(self) -> list[Presence]:
        """The clients that are connected now."""
        return [wire.presence for wire in self._wires]

    def disconnect(self) -> int:
        """Cut all connections without a word; how many there were."""
        wires = tuple(self._wires)
        for wire in wires:
            wire.abort()
        return len(wires)

    async def start(
        self,
        *,
        host: str = "127.0.0.1",
        imap_port: int = 0,
        imaps_port: int | None = None,
        smtp_port: int = 0,
        smtps_port: int | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Listen; 0 takes any free port. With `tls` the plain ports offer STARTTLS.

        The implicit-TLS ports are opened when they are given, and need `tls` (`ValueError`). Raises `OSError` when
        a port is taken; then nothing is left listening.
        """
        if tls is None and (imaps_port is not None or smtps_port is not None):
            raise ValueError("ports with implicit TLS need a TLS context")
        self.tls = tls
        try:
            self.imap_port = await self._listen("imap", host, imap_port, None)
            self.smtp_port = await self._listen("smtp", host, smtp_port, None)
            if imaps_port is not None:
                self.imaps_port = await self._listen("imap", host, imaps_port, tls)
            if smtps_port is not None:
                self.smtps_port = await self._listen("smtp", host, smtps_port, tls)
        except OSError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Say goodbye to all clients, close, and return within a few seconds whatever the clients do.

        Mail, users and the log stay; the provider can be started again. Stopping what is stopped does nothing.
        """
        for listener in self._listeners:
            listener.close()
        wires = tuple(self._wires)
        tasks = [wire.task for wire in wires if wire.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if wires:
            await asyncio.wait([wire.lost for wire in wires], timeout=PARTING_SECONDS)
        for wire in wires:
            wire.abort()
        for listener in self._listeners:
            # From Python 3.12 on this also waits for clients that are still in their TLS handshake.
            with suppress(TimeoutError):
                await asyncio.wait_for(listener.wait_closed(), PARTING_SECONDS)
        self._listeners.clear()
        self.imap_port = self.imaps_port = self.smtp_port = self.smtps_port = 0

    async def _listen(self, protocol: str, host: str, port: int, tls: ssl.SSLContext | None) -> int:
        serve = self._serve_imap if protocol == "imap" else self._serve_smtp

        def wire() -> Wire:
            return Wire(lambda: self.faults, serve, self._wires, protocol=protocol, secure=tls is not None)

        patience = HANDSHAKE_SECONDS if tls else None
        listener = await asyncio.get_running_loop().create_server(
            wire, host, port, ssl=tls, ssl_handshake_timeout=patience, backlog=BACKLOG
        )
        self._listeners.append(listener)
        bound: int = listener.sockets[0].getsockname()[1]
        return bound

    async def _serve_imap(self, wire: Wire) -> None:
        await Session(self, wire, COMMANDS).run()

    async def _serve_smtp(self, wire: Wire) -> None:
        await smtp.Session(self, wire).run()
