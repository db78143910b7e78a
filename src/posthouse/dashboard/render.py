"""Templates, and how values are written for people: ages, sizes, moments."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from posthouse.model.values import utc_now

BASE = "/ui"
"""Where the pages are; the API has the rest."""


def age(span: timedelta) -> str:
    """A span of time in its two largest units: `2 d 4 h`, `3 min`, `12 s`."""
    left = max(0, round(span.total_seconds()))
    words = []
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        amount, left = divmod(left, length)
        if amount:
            words.append(f"{amount} {unit}")
    if len(words) > 1 and words[0].endswith("min"):
        del words[1:]  # nobody asks for the seconds of minutes
    return " ".join(words[:2]) or "0 s"


def ago(moment: datetime | None, never: str = "never") -> Markup:
    """How long ago that was, kept up to date in the browser; the moment itself on hovering."""
    if moment is None:
        return escape(never)
    words = f"{age(utc_now() - moment)} ago"
    # By hand: lists have hundreds, and nothing in it needs escaping.
    return Markup(f'<time datetime="{_iso(moment)}" title="{when(moment)}" data-ago>{words}</time>')  # noqa: S704


def moment(at: datetime | None, never: str = "–") -> Markup:
    """The moment in UTC; in the browser, in the visitor's own time zone."""
    if at is None:
        return escape(never)
    return Markup('<time datetime="{}" title="{}" data-local>{}</time>').format(_iso(at), when(at), f"{at:%d %b %H:%M}")


def when(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def size(count: float) -> str:
    """A number of bytes: `512 B`, `1.4 MB`."""
    if count < 1000:
        return f"{count:.0f} B"
    for unit in ("kB", "MB", "GB"):
        count /= 1000
        if count < 999.5:
            return f"{count:.1f} {unit}" if count < 10 else f"{count:.0f} {unit}"
    return f"{count / 1000:.1f} TB"


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 message`, `2,000 messages`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def environment(statics: Mapping[str, str]) -> Environment:
    """Templates that escape everything and know nothing that they were not given."""
    made = Environment(
        loader=PackageLoader("posthouse.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(age=age, ago=ago, moment=moment, when=when, size=size, counted=counted)
    made.globals.update(ui=BASE, static=statics.__getitem__, now=utc_now)
    return made
