"""The API as one ASGI application: MailSlurp's operations over our services."""

from collections.abc import Iterable

from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.routing import APIRoute

from posthouse.api import (
    accounts,
    addresses,
    attachments,
    composing,
    connectors,
    emails,
    extracting,
    health,
    importing,
    inboxes,
    linking,
    sending,
    sent,
    state,
    threads,
    waiting,
    webhooks,
)
from posthouse.api.docs import show_docs
from posthouse.api.edge import Edge
from posthouse.api.failures import tell_failures
from posthouse.api.operations import Catalogue, Operation, known_operations
from posthouse.services import Services

LARGEST_BODY = 60 * 1024 * 1024
"""An attachment of 40 MB in Base64, with room for the rest; in bytes."""

CONTROLLERS: tuple[APIRouter, ...] = (
    connectors.router,
    addresses.router,
    addresses.expired,
    importing.router,
    # Before the inboxes, whose ids may be anything.
    sending.jobs,
    sent.inboxes,
    inboxes.router,
    inboxes.common,
    inboxes.bulk,
    composing.router,
    composing.templates,
    composing.contacts,
    composing.groups,
    extracting.router,
    threads.router,
    emails.router,
    attachments.router,
    sending.router,
    sending.common,
    sending.emails,
    sending.bulk,
    sent.router,
    accounts.router,
    waiting.router,
    webhooks.router,
)

OWN: tuple[APIRouter, ...] = (health.router, waiting.own, state.router, linking.router, webhooks.own)
"""Operations that MailSlurp does not have."""


def create_api(
    services: Services,
    *,
    version: str = "",
    public_url: str | None = None,
    largest_body: int = LARGEST_BODY,
    controllers: Iterable[APIRouter] = CONTROLLERS,
) -> FastAPI:
    """The API over these services, reached from outside at `public_url` if that is not where requests say that they
    go. It opens nothing by itself and needs no lifespan."""
    known = known_operations()
    app = FastAPI(
        title="Posthouse",
        version=version or "0",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect has no JSON in it
        separate_input_output_schemas=False,
        strict_content_type=False,
    )
    app.state.services = services
    app.state.public_url = public_url
    controllers = tuple(controllers)
    for controller in controllers:
        app.include_router(controller)
    for router in OWN:
        app.include_router(router)
    show_docs(app)
    tell_failures(app, known)
    app.add_middleware(Edge, known=known, built=_built(known, controllers), largest_body=largest_body)
    # Any page may call us, as with MailSlurp: what opens the door is the key, and browsers send none by themselves.
    app.add_middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["*"],
        allow_headers=["*"],
        allow_credentials=False,
        allow_private_network=True,
        expose_headers=["Allow", "Content-Disposition", "Retry-After"],
        max_age=86_400,
    )
    return app


def _built(known: Catalogue, controllers: Iterable[APIRouter]) -> frozenset[Operation]:
    found = (
        known.find(method, route.path)
        for controller in controllers
        for route in controller.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    )
    return frozenset(operation for operation in found if operation is not None)
