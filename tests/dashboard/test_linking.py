"""Linking a mailbox: proposals, tests that are looked on, what is wrong beside its field, and the first sync."""

import json
import re
import secrets
import ssl
from datetime import timedelta
from hashlib import sha256
from html import unescape
from typing import Any

import pytest
from playwright.async_api import Page, expect

from peers.dovecot import Dovecot
from peers.mailbox import Mailbox
from posthouse.model.connectors import Connector, Security
from posthouse.model.values import Slice
from posthouse.simulator import User

from .visiting import Client, House, Visitor, assert_accessible, assert_fits

pytestmark = pytest.mark.asyncio(loop_scope="module")

LETTER = b"From: bob@example.org\r\nSubject: Number %d\r\nMessage-ID: <%d@example.org>\r\n\r\nHello.\r\n"


def a_user(house: House, messages: int = 0) -> User:
    user = house.provider.add_user(f"{secrets.token_hex(4)}@example.org", secrets.token_hex(8))
    for number in range(messages):
        house.provider.deliver(user.address, LETTER % (number, number))
    return user


def form(house: House, user: User, **more: str) -> dict[str, Any]:
    """The form, filled in for a user of the provider."""
    server = {"_host": "127.0.0.1", "_security": "plain", "_username": user.address}
    return {
        "email_address": user.address,
        "password": user.password,
        **{which + name: text for which in ("imap", "smtp") for name, text in server.items()},
        "imap": "on",
        "smtp": "on",
        "imap_port": str(house.provider.imap_port),
        "smtp_port": str(house.provider.smtp_port),
        "folder": "INBOX",
        "how": "manual",
        "minutes": "5",
        "back": "all",
    } | more


async def only_connector(house: House, visitor: Visitor) -> Connector:
    [connector] = (await house.services.connectors.page(visitor.account.id, Slice())).items
    return connector


async def fill(page: Page, which: str, host: str, port: int, security: str, username: str) -> None:
    await page.locator(f"#{which}_host").fill(host)
    await page.locator(f"#{which}_port").fill(str(port))
    await page.locator(f"#{which}_security").select_option(security)
    await page.locator(f"#{which}_username").fill(username)


# Without a browser


async def test_gmails_page_says_what_google_wants(client: Client) -> None:
    page = await client.get("/connectors/new/settings", params={"email_address": "ann@gmail.com"})
    assert 'value="imap.gmail.com"' in page.text
    assert "Switch on 2-step verification" in page.text
    assert "app password" in page.text


async def test_outlooks_page_says_that_no_password_works(client: Client) -> None:
    page = await client.get("/connectors/new/settings", params={"email_address": "ann@hotmail.com"})
    assert 'value="outlook.office365.com"' in page.text
    assert "takes no password for IMAP any more" in page.text
    assert '<option value="token" selected>' in page.text


async def test_an_unknown_domain_gets_a_guess_that_says_so(client: Client) -> None:
    page = await client.get("/connectors/new/settings", params={"email_address": "ann@firm.example"})
    assert 'value="imap.firm.example"' in page.text
    assert "a guess" in page.text


async def test_a_proposal_leaves_what_was_typed(client: Client) -> None:
    first = {"proposed_for": "ann@firm.example", "imap_host": "mail.firm.example", "smtp_host": "smtp.firm.example"}
    page = await client.get(
        "/connectors/new/settings", params={"email_address": "ann@gmail.com", "imap_port": "1143"} | first
    )
    assert 'value="mail.firm.example"' in page.text
    assert 'value="1143"' in page.text
    assert 'value="smtp.gmail.com"' in page.text


async def test_without_script_a_form_with_mistakes_comes_back_with_all_but_the_password(
    house: House, client: Client, ann: Visitor
) -> None:
    user = a_user(house)
    wrong = {"imap_port": "99999", "smtp_host": "smtp://example.org/", "minutes": "0", "how": "push", "name": "<b>"}
    answer = await client.post("/connectors/new", form(house, user, **wrong))
    assert answer.status_code == 422
    for words in ("ports are 1 to 65535", "without scheme, port or path", "a number of minutes", "&lt;b&gt;"):
        assert words in answer.text
    assert user.password not in answer.text
    assert 'value="99999"' in answer.text
    assert (await house.services.connectors.page(ann.account.id, Slice())).total == 0


async def test_without_script_a_test_is_a_page_with_every_stage_and_the_conversation(
    house: House, client: Client
) -> None:
    user = a_user(house)
    answer = await client.post("/connectors/new/test", form(house, user))
    assert answer.status_code == 200
    assert answer.text.count("✓") == 4 + 1 + 4  # name, connection, greeting, sign-in; the folder for IMAP
    assert "opened INBOX" in answer.text
    assert "LOGIN" in answer.text or "AUTHENTICATE" in answer.text
    assert user.password not in answer.text
    assert '<option value="INBOX">' in answer.text


async def test_smtp_is_not_tried_with_a_password_that_imap_refuses(house: House, client: Client) -> None:
    user = a_user(house)
    answer = await client.post("/connectors/new/test", form(house, user, password="wrong-and-secret"))
    assert "refused the user name or password" in answer.text
    assert "SMTP at" not in answer.text
    assert "wrong-and-secret" not in answer.text


async def test_what_was_filled_in_is_what_is_linked(house: House, client: Client, ann: Visitor) -> None:
    user = a_user(house, messages=3)
    answer = await client.post("/connectors/new", form(house, user, name="Sales", back="year", folder="INBOX"))
    connector = await only_connector(house, ann)
    assert answer.headers["location"].startswith(f"/ui/connectors/{connector.id}/syncs/")
    imap = await house.services.connectors.imap(ann.account.id, connector.id)
    smtp = await house.services.connectors.smtp(ann.account.id, connector.id)
    assert imap is not None
    assert smtp is not None
    assert (connector.name, connector.email_address) == ("Sales", user.address)
    assert (imap.settings.host, imap.settings.security) == ("127.0.0.1", Security.PLAIN)
    assert re.fullmatch(r"SINCE \d+-[A-Z][a-z]{2}-\d{4}", imap.settings.search_terms)
    assert smtp.settings.port == house.provider.smtp_port
    assert await house.services.connectors.schedule(ann.account.id, connector.id) is None
    assert (await client.http.get(answer.headers["location"])).status_code == 200


async def test_a_mailbox_to_send_from_alone_has_no_first_sync(house: House, client: Client, ann: Visitor) -> None:
    answer = await client.post("/connectors/new", form(house, a_user(house), imap=""))
    connector = await only_connector(house, ann)
    assert answer.headers["location"] == f"/ui/connectors/{connector.id}"


async def test_what_is_shown_for_the_api_links_the_same_mailbox(house: House, client: Client, ann: Visitor) -> None:
    user = a_user(house)
    asked = form(house, user, name="Sales & more", how="push", minutes="7")
    page = await client.get("/connectors/new", params={key: text for key, text in asked.items() if key != "password"})
    shown = re.search(r"-d '(\{.*?\n\})'", page.text, re.DOTALL)
    assert shown is not None
    body = json.loads(unescape(shown[1]).replace("…", user.password))
    headers = {"x-api-key": ann.key}
    answer = await house.stranger().post("/connectors/withOptions", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    connector = await only_connector(house, ann)
    imap = await house.services.connectors.imap(ann.account.id, connector.id)
    schedule = await house.services.connectors.schedule(ann.account.id, connector.id)
    assert imap is not None
    assert schedule is not None
    assert (connector.name, connector.email_address) == ("Sales & more", user.address)
    assert (imap.settings.host, imap.settings.port) == ("127.0.0.1", house.provider.imap_port)
    assert imap.settings.security is Security.PLAIN
    assert schedule.settings.interval == timedelta(minutes=7)


# With a browser


def pin(dovecot: Dovecot) -> str:
    """What trusts the server's certificate alone."""
    pem = ssl.get_server_certificate(("127.0.0.1", dovecot.imaps_port))
    return "sha256:" + sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


async def test_a_mailbox_is_linked_after_a_wrong_password_and_a_wrong_certificate(
    house: House, page: Page, ann: Visitor, dovecot: Dovecot, mailbox: Mailbox
) -> None:
    mailbox.append(LETTER % (1, 1))
    await page.goto(f"{house.url}/ui/connectors/new")
    await assert_accessible(page)
    await page.get_by_label("Email address").press_sequentially(mailbox.address)
    await expect(page.locator("#imap_host")).to_have_value("imap.example.org")
    await expect(page.get_by_text("are a guess")).to_be_visible()
    await fill(page, "imap", "127.0.0.1", dovecot.imaps_port, "tls", mailbox.address)
    await page.get_by_label("Send, by SMTP").uncheck()
    await page.get_by_text("Sign-in and certificates").click()
    trust, password = page.get_by_label("Certificates to trust"), page.locator("#password")
    test = page.get_by_role("button", name="Test the connection")
    stages = page.get_by_role("region", name="IMAP at 127.0.0.1")

    await trust.fill(pin(dovecot))
    await password.fill("wrong-and-secret")
    await test.click()
    await expect(stages.get_by_role("listitem").filter(has_text="Sign in")).to_contain_text("failed")
    await expect(stages).to_contain_text("refused the user name or password")
    await stages.get_by_text("The conversation").click()
    await expect(stages.locator("pre")).to_contain_text("***")
    assert "wrong-and-secret" not in await page.content()
    await assert_accessible(page)

    await trust.fill("")
    await password.fill(mailbox.password)
    await test.click()
    await expect(stages.get_by_role("listitem").filter(has_text="Agree on TLS")).to_contain_text("failed")
    await expect(stages).to_contain_text("certificate")

    await trust.fill(pin(dovecot))
    await test.click()
    await expect(stages.get_by_role("listitem").filter(has_text="Open the folder")).to_contain_text("done")
    await expect(stages).to_contain_text("opened INBOX: 1 messages")
    await expect(page.locator("#folders option[value=Sent]")).to_have_count(1)

    await page.get_by_role("button", name="Link this mailbox").click()
    await page.wait_for_url(re.compile(r"/connectors/[0-9a-f-]{36}$"))
    await expect(page.locator("#events")).to_contain_text("1 new email")
    assert (await only_connector(house, ann)).email_address == mailbox.address


async def test_mistakes_are_told_beside_their_fields_and_nothing_typed_is_lost(house: House, page: Page) -> None:
    await page.set_viewport_size({"width": 375, "height": 667})
    await page.goto(f"{house.url}/ui/connectors/new")
    await assert_fits(page)
    await page.get_by_label("Email address").press_sequentially("ann@gmail.com")
    await expect(page.get_by_text("Make an app password: myaccount.google.com/apppasswords.")).to_be_visible()
    await page.locator("#password").fill("sixteen letters")
    await page.locator("#imap_port").fill("none")
    await page.get_by_role("button", name="Link this mailbox").click()
    await expect(page.locator("#imap_port-problem")).to_have_text("ports are 1 to 65535")
    await expect(page.get_by_role("alert")).to_contain_text("1 field needs another look")
    await expect(page.locator("#password")).to_have_value("sixteen letters")
    await expect(page.locator("#imap_port")).to_have_value("none")
    await assert_fits(page)
    await assert_accessible(page)


async def test_a_first_sync_is_seen_to_advance_and_is_cancelled_and_goes_on(
    house: House, page: Page, ann: Visitor, client: Client
) -> None:
    user = a_user(house, messages=5000)
    answer = await client.post("/connectors/new", form(house, user))
    await page.goto(house.url + answer.headers["location"])
    await expect(page.get_by_text("of 5,000 messages")).to_be_visible(timeout=20_000)
    await expect(page.get_by_role("progressbar")).not_to_have_attribute("value", "0", timeout=20_000)
    await page.get_by_role("button", name="Cancel the sync").click()
    told = page.get_by_text(re.compile(r"cancelled: \d+ of 5000 messages are filed, the next sync goes on"))
    await expect(told.first).to_be_visible(timeout=20_000)
    match = re.search(r"cancelled: (\d+)", await told.first.inner_text())
    assert match is not None
    filed = int(match[1])
    assert 0 < filed < 5000
    connector = await only_connector(house, ann)
    await page.goto(f"{house.url}/ui/connectors/{connector.id}")
    await page.get_by_role("button", name="Sync now").click()
    await expect(page.get_by_text(f"{5000 - filed:,} new emails").first).to_be_visible(timeout=40_000)
