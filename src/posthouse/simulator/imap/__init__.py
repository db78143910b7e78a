"""IMAP from the server's side (RFC 3501 and the extensions of the profile).

`session` holds the conversation, `commands` says what may be asked when, and `signing_in`, `folders`, `messages` and
`notify` do it.
"""
