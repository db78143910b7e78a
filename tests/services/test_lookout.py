"""Who waits for what comes about elsewhere is woken by it, finds what was never told, and is let go when the server
stops."""

import asyncio
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from posthouse.app import serving
from posthouse.model.errors import Unavailable
from posthouse.services import lookout as module
from posthouse.services.lookout import Lookout
from posthouse.store.signals import Signals

from .posting import a_post

LONG = timedelta(minutes=5)


@pytest.fixture
def signals() -> Signals:
    return Signals()


async def test_news_between_looking_and_waiting_is_not_lost(signals: Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_AGAIN", 1000.0)
    with Lookout(signals, LONG).on("sent:1", timeout=LONG) as news:
        signals.tell(["sent:2", "sent:1"])
        async with asyncio.timeout(5):
            assert await news.more()


async def test_what_is_never_told_is_looked_for_all_the_same(signals: Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_AGAIN", 0.01)
    with Lookout(signals, LONG).on("sent:1", timeout=LONG) as news:
        async with asyncio.timeout(5):
            assert await news.more()
            assert await news.more()


@pytest.mark.parametrize(("longest", "asked"), [(timedelta(milliseconds=20), LONG), (LONG, timedelta(milliseconds=20))])
async def test_there_is_a_last_look_when_the_time_is_up(signals: Signals, longest: timedelta, asked: timedelta) -> None:
    with Lookout(signals, longest).on("sent:1", timeout=asked) as news:
        async with asyncio.timeout(5):
            assert await news.more()
            assert not await news.more()


async def test_all_waits_end_when_the_server_stops(signals: Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_AGAIN", 1000.0)
    lookout = Lookout(signals, LONG)

    async def wait(topic: str) -> None:
        with lookout.on(topic, timeout=LONG) as news:
            while await news.more():
                pass

    waiting = [asyncio.create_task(wait(topic)) for topic in ("sent:1", "reports:1")]
    await asyncio.sleep(0)
    lookout.stop()
    async with asyncio.timeout(5):
        for task in (*waiting, asyncio.create_task(wait("sent:2"))):
            with pytest.raises(Unavailable):
                await task


async def test_who_follows_is_told_of_a_burst_once_and_let_go_when_the_server_stops(signals: Signals) -> None:
    lookout = Lookout(signals, LONG)
    changes = lookout.changes("sent:1", "inbox", pause=0.01, within=LONG.total_seconds())
    async with asyncio.timeout(5):
        assert await anext(changes) is False
        signals.tell(["sent:1", "inbox:2"])
        assert await anext(changes) is True
        lookout.stop()
        assert [news async for news in changes] == []
        assert [news async for news in lookout.changes("sent:1")] == [False]


async def test_a_server_that_stops_answers_whoever_waits_for_a_report_or_a_webhook(tmp_path: Path) -> None:
    async with a_post(tmp_path / "data", port=0) as post:
        key = (await post.services.accounts.create_key(account="somebody")).secret.reveal()
        async with httpx2.AsyncClient(headers={"x-api-key": key}, trust_env=False, timeout=20) as http:
            async with serving(post.app) as url:
                hook = (await http.post(f"{url}/webhooks", json={"url": "https://hooks.example/"})).json()["id"]
                waits = (
                    "/sent/delivery-status/wait-for?timeout=120000",
                    f"/webhooks/{hook}/wait?expectedCount=1&timeout=120000",
                )
                waiting = [asyncio.create_task(http.get(url + path)) for path in waits]
                listeners = post.app.database.signals._listeners
                while sum(map(len, listeners.values())) < 4:
                    await asyncio.sleep(0.01)
            assert [(await one).status_code for one in waiting] == [503, 503]
