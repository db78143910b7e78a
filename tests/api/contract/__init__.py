"""What MailSlurp's clients expect, as facts: the operations that are built, and the models that they speak in.

`contract.json` was drawn once from the public clients of version 17.6.0. A field that is not nullable may not be
null in an answer; the Python client refuses the whole answer when a required one is.
"""

import json
from pathlib import Path
from typing import Any

CONTRACT: dict[str, Any] = json.loads(Path(__file__).with_name("contract.json").read_text("utf-8"))

MODELS: dict[str, dict[str, Any]] = CONTRACT["models"]
OPERATIONS: dict[str, dict[str, Any]] = CONTRACT["operations"]
