"""Changing a connector: forms that lose nothing, tests of what was typed, and passwords that stay where they are."""

from datetime import timedelta

import pytest
from playwright.async_api import Page, expect

from posthouse.model.connectors import Connector, ImapSettings
from posthouse.model.values import Secret

from .linked import PASSWORD, a_user, link
from .visiting import Client, House, Visitor, assert_accessible, assert_fits

pytestmark = pytest.mark.asyncio(loop_scope="module")


def fields(house: House, made: Connector, **changed: str) -> dict[str, str]:
    return {
        "host": "127.0.0.1",
        "port": str(house.provider.imap_port),
        "security": "plain",
        "username": made.email_address or "",
        "password": "",
        "folder": "INBOX",
        "enabled": "on",
    } | changed


async def imap(house: House, ann: Visitor, made: Connector) -> ImapSettings:
    connection = await house.services.connectors.imap(ann.account.id, made.id)
    assert connection is not None
    return connection.settings


async def test_an_empty_password_keeps_the_stored_one(house: House, ann: Visitor, client: Client) -> None:
    made = await link(house, ann, a_user(house))
    page = (await client.get(f"/connectors/{made.id}/imap")).text
    assert PASSWORD not in page
    assert "Left empty, the stored one stays." in page
    answer = await client.post(f"/connectors/{made.id}/imap", fields(house, made, folder="Größe/Ä", port="1143"))
    assert answer.headers["location"] == f"/ui/connectors/{made.id}"
    now = await imap(house, ann, made)
    assert (now.folder, now.port, now.password) == ("Größe/Ä", 1143, Secret(PASSWORD))
    await client.post(f"/connectors/{made.id}/imap", fields(house, made, password="new one"))
    assert (await imap(house, ann, made)).password == Secret("new one")


async def test_bad_input_is_told_beside_its_field_and_nothing_typed_is_lost(
    house: House, ann: Visitor, client: Client
) -> None:
    made = await link(house, ann, a_user(house))
    typed = fields(house, made, host="imap://x/", port="99999", folder="<Übrig>", password="not to be repeated")
    answer = await client.post(f"/connectors/{made.id}/imap", typed)
    assert answer.status_code == 422
    assert 'id="host-problem">enter the name alone' in answer.text
    assert 'id="port-problem">ports are 1 to 65535' in answer.text
    assert 'value="&lt;Übrig&gt;"' in answer.text
    assert "not to be repeated" not in answer.text
    assert (await imap(house, ann, made)).folder == "INBOX"
    answer = await client.post(f"/connectors/{made.id}/imap", fields(house, made, search_terms="NONSENSE ("))
    assert answer.status_code == 422
    assert "search_terms-problem" in answer.text


@pytest.mark.parametrize("move", [{"host": "thief.example"}, {"tls_trust": "*"}])
async def test_a_stored_password_does_not_go_elsewhere(
    house: House, ann: Visitor, client: Client, move: dict[str, str]
) -> None:
    made = await link(house, ann, a_user(house))
    for path in ("imap", "imap/test"):
        answer = await client.post(f"/connectors/{made.id}/{path}", fields(house, made, **move))
        assert answer.status_code == 422
        assert "enter it again, because the" in answer.text
    assert await imap(house, ann, made) == await imap(house, ann, made)
    assert (await imap(house, ann, made)).host == "127.0.0.1"


async def test_connections_are_removed_and_set_up_again(house: House, ann: Visitor, client: Client) -> None:
    made = await link(house, ann, a_user(house))
    await client.post(f"/connectors/{made.id}/smtp", {"do": "remove"})
    assert await house.services.connectors.smtp(ann.account.id, made.id) is None
    assert "Without it no mail is sent through it." in (await client.get(f"/connectors/{made.id}")).text
    typed = fields(house, made, port=str(house.provider.smtp_port), password="again")
    await client.post(f"/connectors/{made.id}/smtp", typed)
    smtp = await house.services.connectors.smtp(ann.account.id, made.id)
    assert smtp is not None
    assert (smtp.settings.port, smtp.settings.password) == (house.provider.smtp_port, Secret("again"))


async def test_a_test_without_scripts_is_a_page_with_the_form_as_it_was(
    house: House, ann: Visitor, client: Client
) -> None:
    made = await link(house, ann, a_user(house))
    good = await client.post(f"/connectors/{made.id}/imap/test", fields(house, made))
    assert "and opened INBOX: 0 messages" in good.text
    missing = await client.post(f"/connectors/{made.id}/imap/test", fields(house, made, folder="Nowhere"))
    assert missing.status_code == 200
    assert 'value="Nowhere"' in missing.text
    assert "Nowhere" in missing.text.partition('class="problem"')[2]
    assert PASSWORD not in good.text + missing.text
    assert (await imap(house, ann, made)).folder == "INBOX"


async def test_name_address_and_schedule(house: House, ann: Visitor, client: Client) -> None:
    made = await link(house, ann, a_user(house))
    await client.post(f"/connectors/{made.id}/name", {"name": " Desk ", "email_address": ""})
    now = await house.services.connectors.get(ann.account.id, made.id)
    assert (now.name, now.email_address, now.enabled) == ("Desk", None, True)
    wish = {"how": "push", "minutes": "2.5", "watch_folders": "Spam\r\n\r\n Lists \r\nSpam"}
    await client.post(f"/connectors/{made.id}/schedule", wish)
    schedule = await house.services.connectors.schedule(ann.account.id, made.id)
    assert schedule is not None
    assert schedule.settings.enabled
    assert (schedule.settings.interval, schedule.settings.watch_folders) == (timedelta(seconds=150), ("Spam", "Lists"))
    assert 'value="2.5"' in (await client.get(f"/connectors/{made.id}/schedule")).text
    answer = await client.post(f"/connectors/{made.id}/schedule", {**wish, "minutes": "many"})
    assert answer.status_code == 422
    assert 'value="many"' in answer.text


@pytest.mark.parametrize("path", ["name", "schedule", "imap", "smtp"])
async def test_others_settings_are_not_there(house: House, client: Client, path: str) -> None:
    bob = await house.visitor()
    theirs = await link(house, bob, a_user(house))
    assert (await client.get(f"/connectors/{theirs.id}/{path}")).status_code == 404
    assert (await client.post(f"/connectors/{theirs.id}/{path}", fields(house, theirs))).status_code == 404
    if path in ("imap", "smtp"):
        answer = await client.post(f"/connectors/{theirs.id}/{path}/test", fields(house, theirs))
        assert answer.status_code == 404


async def test_what_was_typed_is_tried_out_stage_by_stage(house: House, ann: Visitor, page: Page) -> None:
    made = await link(house, ann, a_user(house))
    await page.goto(f"{house.url}/ui/connectors/{made.id}/imap")
    await page.get_by_label("Password").fill("a wrong one")
    await page.get_by_role("button", name="Test").click()
    trial = page.get_by_role("region", name="IMAP at 127.0.0.1")
    await expect(trial).to_contain_text("Sign in: failed")
    await expect(trial).to_contain_text("refused the user name or password")
    await expect(page.get_by_label("Password")).to_have_value("a wrong one")
    await page.get_by_label("Password").fill("")
    await page.get_by_role("button", name="Test").click()
    await expect(trial).to_contain_text("opened INBOX: 0 messages")
    await trial.get_by_text("The conversation").click()
    await expect(trial.get_by_label("Log")).to_contain_text("* connected to 127.0.0.1")
    assert PASSWORD not in await page.content()
    await page.get_by_label("Server").fill("thief.example")
    await page.get_by_role("button", name="Test").click()
    await expect(page.locator("#trial")).to_contain_text("enter it again")
    await assert_accessible(page)
    await page.set_viewport_size({"width": 375, "height": 667})
    await assert_fits(page)
