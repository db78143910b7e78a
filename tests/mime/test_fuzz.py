"""A small, fixed round of the fuzzer; for longer ones see `fuzz_reading`."""

from mime.fuzz_reading import run


def test_mutilated_messages_do_no_harm() -> None:
    assert run(0, cases=500, seconds=None) == 500
