"""Benchmarks: how fast and how frugal Posthouse is beside others, on mailboxes made here."""
