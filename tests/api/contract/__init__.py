"""What MailSlurp's clients expect, as facts: the operations that are built, and the models that they speak in.

`contract.json`, and `webhooks.json` for these, were drawn once from the public clients of version 17.6.0. A field that
is not nullable may not be null in an answer; the Python client refuses the whole answer when a required one is.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

CONTRACTS: list[dict[str, Any]] = [
    json.loads(Path(__file__).with_name(f"{name}.json").read_text("utf-8")) for name in ("contract", "webhooks")
]

MODELS: dict[str, dict[str, Any]] = {name: model for one in CONTRACTS for name, model in one["models"].items()}
OPERATIONS: dict[str, dict[str, Any]] = {name: known for one in CONTRACTS for name, known in one["operations"].items()}

NAMED_OTHERWISE = {"Email": "EmailDto"}

NOT_OURS = {"EmailAnalysis"}
"""Models that only ever stand in a place where we answer null."""

ANYTHING = {"JsonNode"}
"""A model of the clients' that stands for any JSON object at all."""

KEYS_OF_OURS = {
    "CheckEmailBodyResults": {"offline"},
    "CodeCandidate": {"offset"},
    "ConnectorImapConnectionTestResult": {"stage"},
    "ConnectorSmtpConnectionTestResult": {"stage"},
    "ConnectorSyncRequestResult": {"logs"},
    "ConnectorSyncSettingsDto": {"syncIntervalSeconds", "watchFolders"},
    "CreateConnectorSyncSettingsOptions": {"syncIntervalSeconds", "watchFolders"},
    "Email": {"sentAt", "folder", "problem"},
    "EmailPreview": {"externalId", "sentAt", "folder", "problem"},
    "EmailProjection": {"externalId", "sentAt", "folder", "problem"},
    "ExtractCodesResult": {"links"},
    "ExpiredInboxRecordProjection": {"inboxId"},
    "InboxDto": {"connectorId"},
    "InboxPreview": {"connectorId"},
    "OrganizationInboxProjection": {"connectorId"},
    "ScheduledJob": {"sentId"},
    "ScheduledJobDto": {"sentId"},
    "SendWithQueueResult": {"state", "sentId"},
    "SentEmailDto": {"state", "stateText", "refused"},
    "SentEmailProjection": {"state", "stateText", "refused", "sentAt"},
    "WaitForConditions": {"after"},
}
"""What we say beyond the contract; clients pass over keys that they don't know."""

ALWAYS_NULL = {("Email", "analysis"), ("InboxDto", "accountRegion"), ("InboxPreview", "accountRegion")}
ALWAYS_NULL |= {("UserInfoDto", "subscriptionType"), ("OrganizationInboxProjection", "accountRegion")}
ALWAYS_NULL |= {("WebhookNewContactPayload", "metaData")}

OPEN = {"AbstractWebhookPayload"}
"""Models that may have keys of their kinds besides."""


def operation_takes(name: str, where: str) -> dict[str, dict[str, Any]]:
    """The parameters of an operation in its `path`, `query` or `header`, by name."""
    return {one["name"]: one for one in OPERATIONS[name]["params"] if one["in"] == where}


def hold(said: Any, wanted: str, where: str) -> None:
    """Fail unless an answer (JSON, parsed) is what the contract calls `wanted`: a model, a list, a plain type."""
    if wanted.startswith("list["):
        assert isinstance(said, list), where
        for number, item in enumerate(said):
            hold(item, wanted[5:-1], f"{where}[{number}]")
    elif wanted.startswith("dict("):
        assert isinstance(said, dict), where
        for key, value in said.items():
            hold(value, wanted[5:-1].partition(", ")[2], f"{where}[{key}]")
    elif wanted in MODELS:
        _hold_model(said, wanted, where)
    else:
        _hold_plain(said, wanted, where)


def _hold_model(said: Any, model: str, where: str) -> None:
    assert isinstance(said, dict), where
    fields = {field["name"]: field for field in MODELS[model]["fields"]}
    assert said.keys() >= fields.keys(), where
    assert model in OPEN or said.keys() == fields.keys() | KEYS_OF_OURS.get(model, set()), where
    for name, field in fields.items():
        value, place = said[name], f"{where}.{name}"
        if value is None:
            assert field["nullable"], f"{place} is null"
            continue
        hold(value, field["type"], place)
        if "enum" in field:
            assert value in field["enum"], f"{place} says {value!r}, which no client knows"
        if field.get("format") == "uuid" and isinstance(value, str):
            assert str(UUID(value)) == value, place


def _hold_plain(said: Any, wanted: str, where: str) -> None:
    match wanted:
        case "str":
            assert isinstance(said, str), where
        case "bool":
            assert isinstance(said, bool), where
        case "int":
            assert isinstance(said, int), where
            assert not isinstance(said, bool), where
        case "float":
            assert isinstance(said, int | float), where
        case "datetime":
            assert isinstance(said, str), where
            assert datetime.fromisoformat(said).tzinfo is not None, where
        case "object":
            pass
        case _:
            raise AssertionError(f"{where}: the contract's type {wanted} is not known here")
