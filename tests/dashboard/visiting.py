"""A whole house on a loopback port, people who visit its dashboard, and the browser that they look with."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, Route, async_playwright

from house import sqlite_in
from posthouse.app import App, build, serving
from posthouse.config import Settings
from posthouse.model.accounts import Account
from posthouse.services import Services
from posthouse.simulator import Provider

CHROMIUM = "/usr/bin/chromium"
# As root Chromium needs --no-sandbox; the others keep it from asking for its maker's servers.
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_numbers = count(1)


class Client:
    """Somebody signed in, without a browser: `get` and `post` paths under /ui; no redirect is followed."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http
        self.csrf = ""

    async def get(self, path: str, **more: Any) -> httpx2.Response:
        return await self.http.get("/ui" + path, **more)

    async def post(self, path: str, data: dict[str, Any] | None = None, **more: Any) -> httpx2.Response:
        """With the token of our own pages."""
        return await self.http.post("/ui" + path, data={"csrf": self.csrf, **(data or {})}, **more)


@dataclass
class Visitor:
    """An account and a key of it."""

    account: Account
    key: str


@dataclass
class House:
    """A house that is served, with a mail provider beside it. What `services` does is done for real."""

    app: App
    url: str
    provider: Provider
    _clients: list[httpx2.AsyncClient] = field(default_factory=list)

    @property
    def services(self) -> Services:
        return self.app.services

    async def visitor(self) -> Visitor:
        """Somebody new."""
        made = await self.services.accounts.create_key(account=f"visitor {next(_numbers)}")
        return Visitor(made.account, made.secret.reveal())

    async def sign_in_link(self, visitor: Visitor) -> str:
        return f"{self.url}/ui/sign-in/{(await self.services.logins.link(visitor.account.id)).secret.reveal()}"

    def stranger(self) -> httpx2.AsyncClient:
        """Somebody who is not signed in, and asks at the root."""
        client = httpx2.AsyncClient(base_url=self.url)
        self._clients.append(client)
        return client

    async def client(self, visitor: Visitor) -> Client:
        """The visitor, signed in."""
        http = self.stranger()
        await http.get(await self.sign_in_link(visitor))
        client = Client(http)
        page = await client.get("/about")
        token = re.search(r'name="csrf" value="(\w+)"', page.text)
        assert token is not None
        client.csrf = token[1]
        return client

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()


@asynccontextmanager
async def house_in(data: Path, *, engine: bool = True, **settings: Any) -> AsyncIterator[House]:
    """A house on SQLite, served on loopback; with `engine`, it looks after its connectors."""
    provider = Provider()
    await provider.start()
    sqlite_in(data)
    app = build(Settings(data=data, port=0, egress_allow=(ip_network("127.0.0.0/8"),), **settings))
    try:
        async with app.opened(), serving(app) as url:
            house = House(app, url, provider)
            try:
                if engine:
                    async with app.looking_after():
                        yield house
                else:
                    yield house
            finally:
                await house.close()
    finally:
        await provider.stop()


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Strays:
    """What a browser asked other hosts for, and what its console complained of: nothing, when all is well."""

    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@asynccontextmanager
async def context(browser: Browser, url: str, **options: Any) -> AsyncIterator[tuple[BrowserContext, Strays]]:
    """A browser's context in which every request to another host than `url`'s is cut off, and remembered."""
    strays = Strays()
    made = await browser.new_context(**{"viewport": {"width": 1280, "height": 800}, "locale": "en-GB"} | options)

    async def guard(route: Route) -> None:
        if route.request.url.startswith((url, "data:", "blob:")):
            await route.continue_()
        else:
            strays.requests.append(route.request.url)
            await route.abort()

    await made.route("**/*", guard)
    made.on("weberror", lambda error: strays.errors.append(str(error.error)))
    made.on("console", lambda said: strays.errors.append(said.text) if said.type == "error" else None)
    try:
        yield made, strays
    finally:
        await made.close()


async def assert_accessible(page: Page) -> None:
    """axe finds nothing to complain of, in light and in dark."""
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        found = await Axe().run(page)
        assert found.violations_count == 0, f"in {scheme}: {found.generate_report()}"
    await page.emulate_media(color_scheme=None)


async def assert_fits(page: Page) -> None:
    """Nothing of the page is wider than the window."""
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{page.url} is {wide} px wider than the window"
