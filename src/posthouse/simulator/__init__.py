"""A mail provider in our own process: IMAP and SMTP as a client meets them, for the demo and the tests.

It is written from the standards and shares no code with the clients of this project, so that no misunderstanding
can be shared either.
"""

from posthouse.simulator.faults import Faults, NoSuchFault
from posthouse.simulator.mailbox import Change, Folder, Message, User
from posthouse.simulator.office import Delivery
from posthouse.simulator.profiles import COURIER, EXCHANGE, GMAIL, PLAIN, PROFILES, Profile
from posthouse.simulator.server import Provider

__all__ = [
    "COURIER",
    "EXCHANGE",
    "GMAIL",
    "PLAIN",
    "PROFILES",
    "Change",
    "Delivery",
    "Faults",
    "Folder",
    "Message",
    "NoSuchFault",
    "Profile",
    "Provider",
    "User",
]
