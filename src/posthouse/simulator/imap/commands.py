"""What a client may ask, and when."""

from collections.abc import Mapping

from posthouse.simulator.imap import folders, messages, signing_in
from posthouse.simulator.imap.session import Command, State

COMMANDS: Mapping[str, Command] = {
    "CAPABILITY": Command(signing_in.capability, State.ANY),
    "NOOP": Command(signing_in.noop, State.ANY),
    "LOGOUT": Command(signing_in.logout, State.ANY),
    "ID": Command(signing_in.identify, State.ANY, "ID"),
    "STARTTLS": Command(signing_in.starttls, State.ANY),
    "LOGIN": Command(signing_in.login, State.ANY),
    "AUTHENTICATE": Command(signing_in.authenticate, State.ANY),
    "ENABLE": Command(folders.enable, State.SIGNED_IN, "ENABLE"),
    "NAMESPACE": Command(folders.namespace, State.SIGNED_IN, "NAMESPACE"),
    "NOTIFY": Command(folders.notify, State.SIGNED_IN, "NOTIFY"),
    "SELECT": Command(folders.select, State.SIGNED_IN),
    "EXAMINE": Command(folders.select, State.SIGNED_IN),
    "CREATE": Command(folders.create, State.SIGNED_IN),
    "DELETE": Command(folders.delete, State.SIGNED_IN),
    "RENAME": Command(folders.rename, State.SIGNED_IN),
    "SUBSCRIBE": Command(folders.subscribe, State.SIGNED_IN),
    "UNSUBSCRIBE": Command(folders.subscribe, State.SIGNED_IN),
    "LIST": Command(folders.list_folders, State.SIGNED_IN),
    "LSUB": Command(folders.list_folders, State.SIGNED_IN),
    "STATUS": Command(folders.status, State.SIGNED_IN),
    "APPEND": Command(folders.append, State.SIGNED_IN),
    "IDLE": Command(folders.idle, State.SIGNED_IN, "IDLE"),
    "CHECK": Command(signing_in.noop, State.SELECTED),
    "CLOSE": Command(messages.close, State.SELECTED),
    "UNSELECT": Command(messages.close, State.SELECTED, "UNSELECT"),
    "EXPUNGE": Command(messages.expunge, State.SELECTED),
    "SEARCH": Command(messages.search_messages, State.SELECTED, by_uid=True),
    "FETCH": Command(messages.fetch_messages, State.SELECTED, by_uid=True),
    "STORE": Command(messages.store, State.SELECTED, by_uid=True),
    "COPY": Command(messages.copy, State.SELECTED, by_uid=True),
    "MOVE": Command(messages.copy, State.SELECTED, "MOVE", by_uid=True),
}
