"""A mail provider in our own process: IMAP and SMTP as a client meets them, for the demo and the tests.

It is written from the standards with the standard library alone and shares no code with the clients of this
project, so that no misunderstanding can be shared either.
"""

from posthouse.simulator.faults import PLAIN, Faults, Profile
from posthouse.simulator.mailbox import Change, Folder, Message, User
from posthouse.simulator.office import Delivery
from posthouse.simulator.server import Provider

__all__ = ["PLAIN", "Change", "Delivery", "Faults", "Folder", "Message", "Profile", "Provider", "User"]
