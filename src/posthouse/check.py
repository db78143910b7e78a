"""What is wrong with an installation, said so that its operator can mend it."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass

from posthouse.app import App, build
from posthouse.config import Settings
from posthouse.model.errors import PosthouseError

_LITTLE_SPACE = 1 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    good: bool
    text: str


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Look at everything that a server needs, one finding after the other."""
    try:
        app = build(settings)
    except PosthouseError as error:
        yield Finding(False, error.message)
        return
    except OSError as error:
        yield Finding(False, f"the data directory {settings.data} can't be used: {error.strerror}")
        return
    yield Finding(True, f"data directory {settings.data.resolve()}")
    free = shutil.disk_usage(settings.data).free
    yield Finding(free > _LITTLE_SPACE, f"{free / (1 << 30):.1f} GiB free there")
    try:
        await app.database.open()
    except Exception as error:  # whatever a driver raises, the operator gets one line
        yield Finding(False, f"the database can't be opened: {type(error).__name__}: {str(error).splitlines()[0]}")
        return
    try:
        yield Finding(True, f"database {app.database.engine.url.render_as_string(hide_password=True)}")
        async for finding in _contents(app):
            yield finding
    finally:
        await app.database.close()


async def _contents(app: App) -> AsyncIterator[Finding]:
    keys = await app.services.accounts.keys()
    yield Finding(bool(keys), f"{len(keys)} API keys" if keys else "no API key: `posthouse key create` makes one")
    try:
        [stored] = await app.blobs.put([b"posthouse check"])
        await app.blobs.get(stored)
        await app.blobs.remove([stored.pack])
        yield Finding(True, f"raw mail is kept in {app.settings.blob_location}")
    except Exception as error:  # whatever a storage backend raises
        yield Finding(False, f"raw mail can't be kept in {app.settings.blob_location}: {error}")
    orphans = await app.sweep()
    yield Finding(True, f"{orphans} left-over packs of raw mail swept away" if orphans else "no left-over raw mail")
    async with app.database.reading() as tx:
        everyone = await tx.connectors.everyone()
    broken = []
    for connector in everyone:
        try:
            async with app.database.reading() as tx:
                await tx.connectors.imap(connector.id)
                await tx.connectors.smtp(connector.id)
        except PosthouseError as error:
            broken.append(f"connector {connector.name or connector.id}: {error.message}")
    for text in broken:
        yield Finding(False, text)
    if not broken:
        yield Finding(True, f"{len(everyone)} connectors, all stored passwords open")
