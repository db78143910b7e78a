"""Links and images of an email: what they lead to, which of them are for one moment only, and which lead nowhere.

Nothing is asked of any server: what can be said of an address is said from how it is written.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from posthouse.mime.selecting import Tree, select, tree
from posthouse.model.findings import BodyCheck, Issue, OneTimeLink, Severity, Source
from posthouse.model.message import Message

_MOST = 1000
_URL = re.compile(r"https?://[^\s<>\"'`\u3000-\u3002\uff01-\uff60]{1,4000}+", re.IGNORECASE)
_TRAILING = ".,;:!?*_>'\"»”’"


@dataclass(frozen=True, slots=True)
class Link:
    url: str
    text: str


def links(markup: str, selector: str = "") -> list[Link]:
    """The links of some markup, in its order, as they are written there; with a selector, those that it means and
    those inside of what it means. Raises Invalid for a selector that can't be used."""
    found = tree(markup)
    chosen = select(found, "a[href], area[href]")
    if selector:
        chosen = _inside(found, chosen, select(found, selector))
    return [Link(url, " ".join(found.text(one).split())[:500]) for one in chosen if (url := _href(found, one))]


def _inside(tree: Tree, elements: list[int], of: list[int]) -> list[int]:
    within = bytearray(len(tree.names))
    for element in of:
        within[element] = 1
    for element, parent in enumerate(tree.parents):
        if parent >= 0 and within[parent]:
            within[element] = 1
    return [element for element in elements if within[element]]


def _href(tree: Tree, element: int) -> str:
    return (tree.attributes[element].get("href") or "").strip()


def in_text(text: str) -> Iterator[tuple[str, int]]:
    """The web addresses in a plain text, with their places; a bracket or full stop after one is not its end."""
    for match in _URL.finditer(text):
        url = match[0].rstrip(_TRAILING)
        for opening, closing in ("()", "[]", "{}"):
            while url.endswith(closing) and url.count(closing) > url.count(opening):
                url = url[:-1].rstrip(_TRAILING)
        yield url, match.start()


# -- for one moment -----------------------------------------------------------------------------------------------

# In the address …
_PURPOSE = re.compile(
    r"(?:^|[/_.?&=-])(?:verif\w{1,12}|confirm\w{0,8}|activat\w{1,4}|validate\w{0,4}|magic\w{0,8}|one[-_]?time|otp|"
    r"passwordless|reset\w{0,14}|recover\w{0,2}|invit\w{1,6}|accept\w{0,8}|sso|double[-_]?opt[-_]?in|optin|"
    r"(?:sign|log)[-_]?in[-_]?(?:link|token|with|via)\w{0,8})(?:$|[/_.?&=-])",
    re.IGNORECASE,
)
_TOKEN = re.compile(
    r"(?:^|&)(?:\w{0,20}token|code|otp|key|hash|signature|sig|t|k|oobcode|ticket)=[^&]{8,}|/[\w-]{20,}(?:$|[/?])",
    re.IGNORECASE,
)
# … and in the words that one clicks on.
_CALL = re.compile(
    r"verif|confirm|activate|sign in|log ?in|reset|magic link|accept invit|join|bestätig|aktivier|anmelden|"
    r"zurücksetzen|vérifi|activer|se connecter|réinitialiser|verific|activar|iniciar sesión|restablecer|ativar|entrar|"
    r"redefinir|conferma|attiva|accedi|reimposta|bevestig|activeer|inloggen|potwierd|aktywuj|zaloguj|подтверд|войти|"
    r"сбросить|确认|確認|验证|驗證|登录|ログイン|認証|인증|로그인|확인",
    re.IGNORECASE,
)
_NOT_FOR_ONE_MOMENT = re.compile(
    r"unsubscribe|abmelde|opt[-_]?out|desinscri|preferences|privacy|terms|\.(?:png|gif|jpe?g|css|js)$", re.IGNORECASE
)


def one_time(message: Message, most: int) -> list[OneTimeLink]:
    """Links that confirm, sign in or reset, in their order: one word for it at least, in the address or in the text
    of the link, and something in the address that was made for one reader."""
    found: dict[str, OneTimeLink] = {}
    if message.html:
        for link in links(message.html)[:_MOST]:
            if _is_one_time(link.url, link.text):
                found.setdefault(link.url, OneTimeLink(url=link.url, text=link.text, source=Source.HTML, offset=None))
    for url, offset in in_text(message.text[: 1 << 18]):
        if url not in found and _is_one_time(url, message.text[max(0, offset - 200) : offset].rpartition("\n\n")[2]):
            found[url] = OneTimeLink(url=url, text="", source=Source.TEXT, offset=offset)
        if len(found) >= _MOST:
            break
    return list(found.values())[:most]


def _is_one_time(url: str, words: str) -> bool:
    parts = _split(url)
    if parts is None or parts.scheme.lower() not in ("http", "https"):
        return False
    after_host = unquote(url[:4000].partition("://")[2].partition("/")[2])
    if _NOT_FOR_ONE_MOMENT.search(after_host) or _NOT_FOR_ONE_MOMENT.search(words[-100:]):
        return False
    made_for_one = bool(_TOKEN.search(parts.query) or _TOKEN.search(parts.path) or _TOKEN.search(parts.fragment))
    return made_for_one and bool(_PURPOSE.search("/" + after_host) or _CALL.search(words))


# -- what leads nowhere -------------------------------------------------------------------------------------------

_LETTER = r"a-z0-9\u00a1-\uffff"
_HOST = re.compile(
    rf"(?=.{{1,253}}$)(?:[{_LETTER}_](?:[{_LETTER}_-]{{0,62}})\.)*[{_LETTER}](?:[{_LETTER}-]{{0,62}})\.?", re.IGNORECASE
)
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{%|\[\[|<%|%%\w+%%|\*\|")
_ONLY_HERE = ("localhost", ".localhost", ".local", ".internal", ".test", ".invalid")


def check(message: Message) -> BodyCheck:
    """What is wrong with the links and images of a message's body, from how they are written alone."""
    if not message.html:
        urls = {url: None for url, _ in in_text(message.text[: 1 << 20])}
        return BodyCheck(links=tuple(issue for url in urls for issue in _of_link(url))[:_MOST])
    found = tree(message.html)
    hrefs = dict.fromkeys(
        (found.attributes[one].get("href") or "").strip() for one in select(found, "a[href], area[href]")
    )
    anchors = {each.get(name) for each in found.attributes for name in ("id", "name")}
    parts = {part.content_id for part in message.parts if part.content_id}
    broken = [issue for url in hrefs for issue in _of_link(url, anchors)]
    images: list[Issue] = []
    for image in select(found, "img"):
        images += _of_image((found.attributes[image].get("src") or "").strip(), parts)
        if len(images) > _MOST:
            break
    return BodyCheck(links=tuple(dict.fromkeys(broken))[:_MOST], images=tuple(dict.fromkeys(images))[:_MOST])


def _of_link(url: str, anchors: "set[str | None] | None" = None) -> Iterator[Issue]:
    if not url or url == "#":
        yield Issue(url, "the link has no address", Severity.WARNING)
    elif url.startswith("#"):
        if anchors is not None and unquote(url[1:]) not in anchors:
            yield Issue(url, "the link leads to a place that is not in this email", Severity.WARNING)
    elif url[:11].lower() == "javascript:" or url[:9].lower() == "vbscript:":
        yield Issue(url[:200], "mail programs run no scripts", Severity.ERROR)
    elif re.match(r"(?:mailto|tel|sms|facetime|whatsapp|xmpp|geo|webcal):", url, re.IGNORECASE):
        if url.partition(":")[2].strip("/ ") == "":
            yield Issue(url, "the link names nobody", Severity.ERROR)
    else:
        yield from _of_address(url)


def _of_image(src: str, parts: set[str]) -> Iterator[Issue]:
    if not src:
        yield Issue(src, "the image has no address", Severity.ERROR)
    elif src[:4].lower() == "cid:":
        if src[4:] not in parts and unquote(src[4:]) not in parts:
            yield Issue(src, "no part of this email has this Content-ID", Severity.ERROR)
    elif src[:5].lower() == "data:":
        yield Issue(src[:100], "many mail programs show no images out of data: addresses", Severity.WARNING)
    else:
        yield from _of_address(src)


def _of_address(url: str) -> Iterator[Issue]:
    if _PLACEHOLDER.search(url):
        yield Issue(url, "there is a placeholder in it that was never filled in", Severity.ERROR)
        return
    parts = _split(url)
    if parts is None:
        yield Issue(url, "this is no address: it can't be read", Severity.ERROR)
    elif not parts.scheme:
        what = (
            "without its scheme (http: or https:)" if parts.netloc else "relative, and an email has no place of its own"
        )
        yield Issue(url, f"the address is {what}", Severity.WARNING if parts.netloc else Severity.ERROR)
    elif parts.scheme.lower() in ("http", "https"):
        yield from _of_web_address(url, parts)
    elif parts.scheme.lower() == "file":
        yield Issue(url, "the address leads into the sender's own files", Severity.ERROR)


def _of_web_address(url: str, parts: SplitResult) -> Iterator[Issue]:
    host = parts.hostname or ""
    if not host or not (_HOST.fullmatch(host) or ":" in host):
        yield Issue(url, "the address names no host that there can be", Severity.ERROR)
    elif host.endswith(_ONLY_HERE) or host.startswith(("127.", "10.", "192.168.", "169.254.")):
        yield Issue(url, f"{host} can be reached from nowhere else", Severity.WARNING)
    elif "." not in host and ":" not in host:
        yield Issue(url, f"{host} is no name of the public internet", Severity.WARNING)
    if re.search(r"\s", url):
        yield Issue(url, "there is a blank in the address", Severity.WARNING)
    if parts.scheme.lower() == "http":
        yield Issue(url, "the address is not encrypted (http:)", Severity.WARNING)


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url[:8000])
        parts.port  # noqa: B018 (it raises for a port that is none)
    except ValueError:
        return None
    return parts
