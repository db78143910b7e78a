"""What we do, one verb a method and one transaction at a time; all faces of the house call these same objects."""

from dataclasses import dataclass

from posthouse.services.about import About
from posthouse.services.accounts import Accounts
from posthouse.services.addresses import PlusAddresses
from posthouse.services.answering import Answering
from posthouse.services.attachments import Attachments
from posthouse.services.browsing import Browsing
from posthouse.services.connectors import Connectors
from posthouse.services.contacts import Contacts
from posthouse.services.conversations import Conversations
from posthouse.services.drafts import Drafts
from posthouse.services.extracting import Extracting
from posthouse.services.favourites import Favourites
from posthouse.services.importing import Importing
from posthouse.services.inboxes import Inboxes
from posthouse.services.jobs import Jobs
from posthouse.services.logins import Logins
from posthouse.services.lookout import Lookout
from posthouse.services.mail import Mail
from posthouse.services.outbox import Outbox
from posthouse.services.overview import Overviews
from posthouse.services.reports import Reports
from posthouse.services.running import Running
from posthouse.services.sending import Sending
from posthouse.services.sent import Sent
from posthouse.services.showing import Showing
from posthouse.services.sync import Sync
from posthouse.services.telling import Telling
from posthouse.services.templates import Templates
from posthouse.services.threads import Threads
from posthouse.services.waiting import Waiting
from posthouse.services.watching import Watching
from posthouse.services.webhook_results import WebhookResults
from posthouse.services.webhooks import Webhooks


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a face of the house may ask for."""

    accounts: Accounts
    logins: Logins
    lookout: Lookout
    inboxes: Inboxes
    plus_addresses: PlusAddresses
    importing: Importing
    connectors: Connectors
    sync: Sync
    running: Running
    conversations: Conversations
    mail: Mail
    browsing: Browsing
    showing: Showing
    extracting: Extracting
    threads: Threads
    favourites: Favourites
    sending: Sending
    answering: Answering
    drafts: Drafts
    templates: Templates
    contacts: Contacts
    sent: Sent
    outbox: Outbox
    jobs: Jobs
    reports: Reports
    attachments: Attachments
    watching: Watching
    overviews: Overviews
    waiting: Waiting
    webhooks: Webhooks
    webhook_results: WebhookResults
    telling: Telling
    about: About
