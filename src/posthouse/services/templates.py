"""Templates: kept, changed, and shown with values in them."""

from collections.abc import Mapping

from posthouse.model.composing import Template
from posthouse.model.errors import NotFound
from posthouse.model.moustache import render, variables
from posthouse.model.values import AccountId, Clock, Page, Slice, TemplateId, new_id
from posthouse.store.database import Database, Transaction

_ALL = Slice(size=1_000_000)


class Templates:
    def __init__(self, database: Database, now: Clock) -> None:
        self._database = database
        self._now = now

    async def create(self, account: AccountId, name: str, content: str) -> Template:
        """Raises Invalid, naming the tag, when the content is no template."""
        variables(content)
        now = self._now()
        template = Template(
            id=TemplateId(new_id(now)), account_id=account, name=name, content=content, created_at=now, updated_at=now
        )
        async with self._database.transaction() as tx:
            await tx.templates.add(template)
        return template

    async def change(self, account: AccountId, template: TemplateId, name: str, content: str) -> Template:
        """Put another name and content in its place. Raises Invalid as `create`."""
        variables(content)
        async with self._database.transaction() as tx:
            await _require(tx, account, template)
            await tx.templates.change(template, name, content, self._now())
            return await _require(tx, account, template)

    async def get(self, account: AccountId, template: TemplateId) -> Template:
        async with self._database.reading() as tx:
            return await _require(tx, account, template)

    async def page(self, account: AccountId, slice_: Slice = _ALL) -> Page[Template]:
        async with self._database.reading() as tx:
            return await tx.templates.page(account, slice_)

    async def preview(self, account: AccountId, template: TemplateId, values: Mapping[str, object]) -> str:
        """The template as HTML, with these values in it."""
        return render((await self.get(account, template)).content, values)

    async def delete(self, account: AccountId, template: TemplateId) -> None:
        async with self._database.transaction() as tx:
            if not await tx.templates.remove(account, template):
                raise _missing(template)


async def _require(tx: Transaction, account: AccountId, template: TemplateId) -> Template:
    found = await tx.templates.get(account, template)
    if found is None:
        raise _missing(template)
    return found


def _missing(template: TemplateId) -> NotFound:
    return NotFound(f"there is no template {template}")
