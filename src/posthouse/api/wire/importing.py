"""Messages from files, as MailSlurp's clients send them."""

import base64
import json

from pydantic import Field

from posthouse.api.wire.common import Line, QueryModel, WireModel
from posthouse.model.errors import Invalid


class ImportQuery(QueryModel):
    """What is said of an import beside the message. `runPipeline` makes no difference: what is imported is journaled
    like all mail."""

    external_id: Line | None = None
    run_pipeline: bool = False
    override_message_id: bool = True


class ImportEmailOptions(WireModel):
    raw_email_base64: str = Field(min_length=1)
    external_id: Line | None = None
    run_pipeline: bool | None = False
    override_message_id: bool | None = True

    def content(self) -> bytes:
        """Raises Invalid when the message is not Base64."""
        try:
            return base64.b64decode("".join(self.raw_email_base64.split()), validate=True)
        except ValueError:
            raise Invalid("rawEmailBase64 is not Base64") from None


def as_sent(body: bytes) -> bytes:
    """The message in a request's body. MailSlurp's JavaScript client puts it into a JSON string."""
    if not body.startswith(b'"'):
        return body
    try:
        text = json.loads(body)
    except ValueError:
        return body
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else body
