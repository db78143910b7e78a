"""Webhooks as their users have them: the official client, a served house, and the receiver that the guide shows."""

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mailslurp_client as sdk
import pytest
from flask import Flask, request
from werkzeug.serving import make_server

from .served import Served

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"


class Receiver:
    """The guide's receiver, with what came to it: each payload and its headers."""

    def __init__(self) -> None:
        [self._code] = [
            block for block in re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.S) if "Flask" in block
        ]
        self.came: list[tuple[dict[str, Any], dict[str, str], int]] = []
        self.trust("whsec_AAAA")
        self._server = make_server("127.0.0.1", 0, self)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def trust(self, secret: str) -> None:
        """Start anew, with this signing secret."""
        names: dict[str, Any] = {"__name__": "__main__"}
        exec(self._code.replace("whsec_...", secret), names)
        self._app: Flask = names["app"]
        self.seen: set[str] = names["seen"]

        @self._app.after_request
        def note(response: Any) -> Any:
            self.came.append((request.get_json(), dict(request.headers), response.status_code))
            return response

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self._app(environ, start_response)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/mail"

    def stop(self) -> None:
        self._server.shutdown()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


def secret_of(client: sdk.ApiClient, webhook: str) -> str:
    """An operation of our own, which the client does not know."""
    answer = client.call_api(
        f"/webhooks/{webhook}/secret",
        "GET",
        header_params={"x-api-key": client.configuration.api_key["x-api-key"]},
        response_type="object",
    )
    secret: str = answer[0]["secret"]
    return secret


def test_the_guides_receiver_is_told_of_new_mail(server: Served, receiver: Receiver) -> None:
    with server.sdk() as client:
        inboxes, hooks = sdk.InboxControllerApi(client), sdk.WebhookControllerApi(client)
        ann, bob = inboxes.create_inbox_with_defaults(), inboxes.create_inbox_with_defaults()
        hook = hooks.create_webhook(
            bob.id, {"url": receiver.url, "eventName": "NEW_EMAIL", "name": "orders", "basicAuth": None}
        )
        receiver.trust(secret_of(client, hook.id))
        for number in (1, 2, 3):
            inboxes.send_email_and_confirm(
                ann.id, sdk.SendEmailOptions(to=[bob.email_address], subject=f"Number {number}", body="Hi")
            )
        results = hooks.wait_for_webhook_results(hook.id, expected_count=3, timeout=20_000)
        assert [result.result_type for result in results] == ["SUCCESS"] * 3
        assert [payload["subject"] for payload, _, _ in receiver.came] == ["Number 1", "Number 2", "Number 3"]
        assert receiver.seen == {result.message_id for result in results}

        payload, headers, status = receiver.came[0]
        assert status == 204
        assert payload["inboxId"] == bob.id
        assert payload["messageId"] == headers["Webhook-Id"] == results[0].message_id
        checked = hooks.verify_webhook_signature(
            sdk.VerifyWebhookSignatureOptions(message_id=payload["messageId"], signature=headers["X-Signature"])
        )
        assert checked.is_valid

        assert hooks.redrive_webhook_result(results[1].id).success
        hooks.wait_for_webhook_results(hook.id, expected_count=4, timeout=20_000)
        assert receiver.came[3][0] == receiver.came[1][0]
        assert len(receiver.seen) == 3, "who keeps the ids hears of nothing twice"


def test_a_receiver_that_refuses_is_shown_as_such_and_told_again(server: Served, receiver: Receiver) -> None:
    with server.sdk() as client:
        inboxes, hooks = sdk.InboxControllerApi(client), sdk.WebhookControllerApi(client)
        inbox = inboxes.create_inbox_with_defaults()
        hook = hooks.create_account_webhook({"url": receiver.url, "eventName": "EMAIL_RECEIVED"})
        tried = hooks.send_test_data(hook.id)  # signed with a secret that the receiver does not know
        assert (tried.response.status_code, receiver.came[-1][2]) == (401, 401)
        inboxes.send_email_and_confirm(
            inbox.id, sdk.SendEmailOptions(to=[inbox.email_address], subject="To myself", body="Hi")
        )
        [_, failed] = hooks.wait_for_webhook_results(hook.id, expected_count=2, timeout=20_000)
        assert (failed.result_type, failed.response_status) == ("BAD_RESPONSE", 401)
        assert hooks.get_webhook_results_unseen_error_count().count >= 2

        receiver.trust(secret_of(client, hook.id))
        assert hooks.redrive_all_webhook_results().success
        results = hooks.wait_for_webhook_results(hook.id, expected_count=3, timeout=20_000)
        assert [result.result_type for result in results[1:]] == ["BAD_RESPONSE", "SUCCESS"]
        assert receiver.came[-1][0]["subject"] == "To myself"
        hooks.delete_webhook_by_id(hook.id)
