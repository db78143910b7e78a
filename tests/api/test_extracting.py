"""The reading tools over the API, on mail that says something."""

from email.message import EmailMessage
from uuid import UUID

import httpx2
import pytest
import pytest_asyncio

from .town import Tenant, Town

pytestmark = pytest.mark.asyncio(loop_scope="module")

HTML = """\
<!DOCTYPE html><html><body><h1>Welcome, Ann</h1><p class="code">Your verification code is <b>482910</b>.</p>
<a class="button" href="https://example.org/verify?token=eyJhbGciOiJIUzI1NiJ9x7Qp">Verify</a>
<a href="/relative">Help</a><img src="cid:logo" alt="logo"><script>alert(1)</script>
<p>Fish &amp; chips</p></body></html>
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def email(town: Town, ann_for_all: Tenant) -> str:
    """Where the mail with the code lies, with its parts."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Zoë <zoe@example.org>", ann_for_all.own.mailbox.address, "Verify"
    mail.set_content("Hello Ann,\nyour code is 482910.\n-- \nZoë\n")
    mail.add_alternative(HTML, subtype="html")
    html = mail.get_payload(1)
    assert isinstance(html, EmailMessage)
    html.add_related(b"\x89PNG", "image", "png", cid="<logo>")
    mail.add_attachment(b'{"a": 1}', maintype="application", subtype="json", filename="a.json")
    town.provider.deliver(ann_for_all.own.mailbox.address, mail.as_bytes())
    await ann_for_all.client.post(f"/connectors/{ann_for_all.own.connector}/sync")
    [found] = (await ann_for_all.client.get("/emails", params={"searchFilter": "Verify"})).json()["content"]
    return f"/emails/{found['id']}"


@pytest.fixture
def client(ann_for_all: Tenant) -> httpx2.AsyncClient:
    return ann_for_all.client


async def test_a_code_is_found_with_its_link(client: httpx2.AsyncClient, email: str) -> None:
    said = (await client.post(f"{email}/codes")).json()
    assert (said["found"], said["code"], said["methodUsed"], said["warnings"]) == (True, "482910", "PATTERN", [])
    [code] = said["candidates"]
    assert code["source"] in ("TEXT_PART", "HTML_PART")
    [link] = said["links"]
    assert link["url"] == "https://example.org/verify?token=eyJhbGciOiJIUzI1NiJ9x7Qp"


async def test_a_method_that_we_do_not_have_falls_back_or_is_refused(client: httpx2.AsyncClient, email: str) -> None:
    said = (await client.post(f"{email}/codes", json={"method": "LLM"})).json()
    assert said["code"] == "482910"
    assert said["warnings"] == ["there is no LLM here: codes were looked for by their patterns"]
    refused = await client.post(f"{email}/codes", json={"method": "OCR", "allowFallback": False})
    assert refused.status_code == 400
    assert "PATTERN" in refused.json()["message"]


async def test_ones_own_patterns_come_first(client: httpx2.AsyncClient, email: str) -> None:
    async def found(*patterns: str, fall_back: bool = True) -> list[str]:
        options = {"customPatterns": patterns, "minLength": 3, "allowFallback": fall_back}
        return [one["code"] for one in (await client.post(f"{email}/codes", json=options)).json()["candidates"]]

    assert await found("Hello ([A-Z]nn)", "code is ([0-9]{3})") == ["Ann", "482"]
    assert await found("nothing (x)") == ["482910"]
    assert await found("nothing (x)", fall_back=False) == []
    refused = await client.post(f"{email}/codes", json={"customPatterns": ["(?=a)"]})
    assert refused.status_code == 400


async def test_a_match_is_told_whole_and_by_its_groups(client: httpx2.AsyncClient, email: str) -> None:
    async def matches(pattern: str) -> list[str]:
        return list((await client.post(f"{email}/contentMatch", json={"pattern": pattern})).json()["matches"])

    assert await matches(r"code is <b>(\d{3})(\d+)") == ["code is <b>482910", "482", "910"]
    assert await matches(r"code is (\d+)(x)?") == ["code is 482910", "482910", ""], "what a reader sees is tried too"
    assert await matches("none") == []
    for bad in ("(", r"(a)\1", "(?<=a)b", "x" * 2000):
        assert (await client.post(f"{email}/contentMatch", json={"pattern": bad})).status_code == 400


async def test_parts_are_found_by_their_type(client: httpx2.AsyncClient, email: str) -> None:
    async def part(wanted: str, **more: object) -> httpx2.Response:
        return await client.get(f"{email}/contentPart", params={"contentType": wanted} | more)

    assert (await part("text/plain")).json()["content"].startswith("Hello Ann")
    assert (await part("html")).json()["content"].startswith("<!DOCTYPE")
    assert (await part("application/json")).json()["content"] == '{"a": 1}'
    assert (await part("image/png")).json()["content"] == "iVBORw=="
    assert (await part("TEXT/", index=1)).json()["content"].startswith("<!DOCTYPE")
    missing = await part("html", strict=True)
    assert missing.status_code == 404
    assert "text/plain, text/html" in missing.json()["message"]
    raw = await client.get(f"{email}/contentPart/raw", params={"contentType": "application/json"})
    assert (raw.text, raw.headers["content-type"]) == ('{"a": 1}', "text/plain;charset=utf-8")
    assert "sandbox" in raw.headers["content-security-policy"]


async def test_html_is_asked_by_selector(client: httpx2.AsyncClient, email: str) -> None:
    said = (await client.get(f"{email}/htmlQuery", params={"htmlSelector": "p.code b"})).json()
    assert said == {"lines": ["482910"], "body": "482910"}
    links = (await client.get(f"{email}/links", params={"selector": "a.button"})).json()
    assert links["links"] == ["https://example.org/verify?token=eyJhbGciOiJIUzI1NiJ9x7Qp"]
    assert len((await client.get(f"{email}/links")).json()["links"]) == 2
    assert (await client.get(f"{email}/htmlQuery", params={"htmlSelector": "p{"})).status_code == 400


async def test_an_email_without_html_has_no_links_to_ask_for(client: httpx2.AsyncClient, town: Town) -> None:
    bob = await town.tenant()
    mail = EmailMessage()
    mail["Subject"] = "plain"
    mail.set_content("https://example.org/")
    town.provider.deliver(bob.own.mailbox.address, mail.as_bytes())
    await bob.client.post(f"/connectors/{bob.own.connector}/sync")
    [plain] = (await bob.client.get("/emails", params={"searchFilter": "plain"})).json()["content"]
    refused = await bob.client.get(f"/emails/{plain['id']}/links")
    assert refused.status_code == 400
    assert "no HTML" in refused.json()["message"]
    assert (await bob.client.post(f"/emails/{plain['id']}/validate")).json()["html"]["isValid"] is True


async def test_lines_are_what_a_reader_sees(client: httpx2.AsyncClient, email: str) -> None:
    said = (await client.get(f"{email}/textLines", params={"lineSeparator": " | "})).json()
    assert said["lines"][:2] == ["Welcome, Ann", "Your verification code is 482910."]
    assert said["body"] == " | ".join(said["lines"])
    as_written = (await client.get(f"{email}/textLines", params={"decodeHtmlEntities": "False"})).json()
    assert (said["lines"][-1], as_written["lines"][-1]) == ("Fish & chips", "Fish &amp; chips")


async def test_a_signature_is_told_with_what_it_was_recognised_by(client: httpx2.AsyncClient, email: str) -> None:
    said = (await client.get(f"{email}/signature")).json()
    assert said == {
        "present": True,
        "signature": {"body": "Zoë", "source": "TEXT_PART", "marker": "--", "detectionType": "DELIMITER"},
    }


async def test_a_preview_runs_nothing_and_loads_nothing(client: httpx2.AsyncClient, email: str) -> None:
    async def preview(**query: str) -> str:
        return str((await client.get(f"{email}/preview", params=query)).json()["html"])

    plain = await preview()
    assert "<script" not in plain
    assert "default-src 'none'" in plain
    assert 'href="https://example.org/verify' in plain
    assert "cid:logo" in plain
    assert 'src="data:image/png;base64,iVBORw=="' in await preview(replaceCidImages="true")
    assert 'target="_blank"' in await preview(linkBehavior="NEW_TAB")
    assert "href" not in await preview(linkBehavior="DISABLED")


async def test_preview_urls_lead_back_to_us_and_hold_no_key(client: httpx2.AsyncClient, email: str) -> None:
    said = (await client.get(f"{email}/urls")).json()
    assert said == {
        "origin": "http://posthouse.example",
        "rawSmtpMessageUrl": f"http://posthouse.example{email}/raw",
        "plainHtmlBodyUrl": f"http://posthouse.example{email}/html",
    }


async def test_html_is_judged(client: httpx2.AsyncClient, email: str) -> None:
    said = (await client.post(f"{email}/validate")).json()
    assert UUID(said["emailId"])
    assert said["html"]["isValid"] is True
    assert [one["message"] for one in said["html"]["warnings"]] == ["mail programs take <script> out"]


async def test_a_body_is_checked_without_asking_anybody(client: httpx2.AsyncClient, email: str) -> None:
    said = (await client.post(f"{email}/check-email-body")).json()
    assert [(one["url"], one["severity"], one["responseStatus"]) for one in said["linkIssues"]] == [
        ("/relative", "Error", None)
    ]
    assert (said["hasIssues"], said["imageIssues"], said["spellingIssues"], said["offline"]) == (True, [], [], True)


async def test_favourites_can_be_listed(client: httpx2.AsyncClient, email: str) -> None:
    async def favourites() -> list[str]:
        page = (await client.get("/emails", params={"favourited": "true"})).json()
        return [f"/emails/{one['id']}" for one in page["content"]]

    assert (await client.put(f"{email}/favourite", params={"favourited": "True"})).status_code == 204
    assert email in await favourites()
    assert (await client.put(f"{email}/favourite", params={"favourited": "False"})).status_code == 204
    assert email not in await favourites()


@pytest.mark.parametrize(
    ("operation", "flags", "before", "after"),
    [
        ("SET_FLAGS", ["\\Seen"], False, True),
        ("SET_FLAGS", ["\\Flagged"], True, False),
        ("ADD_FLAGS", ["\\Seen", "\\Flagged"], False, True),
        ("ADD_FLAGS", ["\\Flagged"], False, False),
        ("REMOVE_FLAGS", ["\\SEEN"], True, False),
        ("REMOVE_FLAGS", [], True, True),
    ],
)
async def test_flags_change_the_read_state_alone(
    operation: str, flags: list[str], before: bool, after: bool, client: httpx2.AsyncClient, email: str
) -> None:
    await client.patch(f"{email}/read", params={"read": before})
    said = await client.post(f"{email}/imap-flag-operation", json={"flagOperation": operation, "flags": flags})
    assert (said.status_code, said.json()["read"]) == (200, after)
    assert (await client.get(f"{email}/summary")).json()["read"] is after
