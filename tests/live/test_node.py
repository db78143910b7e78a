"""The official client for Node, whole: its wrapper class and the controllers, in `tests/node/smoke.mjs`.

`make servers` installs it into .build/node, from the versions that `tests/node/package-lock.json` pins.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from .served import served

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tests" / "node" / "smoke.mjs"
MODULES = ROOT / ".build" / "node"
STEPS = re.findall(r'^await step\("(.+?)"', SCRIPT.read_text("utf-8"), re.MULTILINE)

# The methods of the client's wrapper class (17.4.0).
WRAPPER = {
    "createInbox", "createInboxWithOptions", "getImapSmtpAccessDetails", "deleteInbox", "emptyInbox", "getInbox",
    "getInboxes", "getAllInboxes", "waitForLatestEmail", "waitForNthEmail", "waitForMatchingEmails",
    "waitForEmailCount", "deleteEmail", "getAllEmails", "getEmails", "getEmail", "getRawEmail", "sendEmail",
    "downloadAttachment", "uploadAttachment", "getAttachmentMetaData",
}  # fmt: skip


@pytest.fixture(scope="module")
def problems(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """What went wrong in each step, of one run against a server of ours."""
    node = shutil.which("node")
    if node is None:
        pytest.fail("Node is missing: `make servers`, or `apt-get install nodejs npm` and `make servers`")
    if not (MODULES / "node_modules" / "mailslurp-client").is_dir():
        pytest.fail("the official client for Node is not installed: `make servers`")
    domain = "node.example"
    with served(tmp_path_factory.mktemp("node"), inbox_domain=domain) as server:
        environment = {"URL": server.url, "KEY": server.key, "DOMAIN": domain, "MODULES": str(MODULES)}
        done = subprocess.run(
            [node, str(SCRIPT)],
            env={"PATH": os.environ.get("PATH", ""), **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["name"]: line["problem"] for line in lines}


@pytest.mark.parametrize("step", STEPS)
def test_the_official_client_for_node_can(step: str, problems: dict[str, str | None]) -> None:
    assert problems.get(step, "it was not come to") is None


def test_every_method_of_the_wrapper_is_called() -> None:
    assert {step.partition(" ")[0] for step in STEPS} >= WRAPPER
