"""Small charts, drawn without scripts: bars in SVG, with words for who can't see them."""

from collections.abc import Sequence

from markupsafe import Markup

from posthouse.dashboard.render import counted

_WIDTH, _GAP, _HEIGHT = 5, 1, 20


def days(counts: Sequence[int], peak: int) -> Markup:
    """Emails of each of the last days, the oldest first; `peak` is drawn at full height."""
    wide = len(counts) * (_WIDTH + _GAP)
    bars = "".join(
        f"M{place * (_WIDTH + _GAP)} {_HEIGHT}v-{max(2, round(_HEIGHT * count / peak))}h{_WIDTH}V{_HEIGHT}z"
        for place, count in enumerate(counts)
        if count
    )
    total = sum(counts)
    return Markup(  # noqa: S704 (numbers alone)
        f'<svg class="days" role="img" width="{wide}" height="{_HEIGHT}" viewBox="0 0 {wide} {_HEIGHT}" '
        f'aria-label="{counted(total, "email")} in {len(counts)} days, {counts[-1]:,} today">'
        f'<path class="none" d="M0 {_HEIGHT - 1}h{wide - _GAP}v1H0z"/><path d="{bars}"/></svg>'
    )
