# `make` alone lists what there is. Needed beforehand: make, and Python 3.11 or newer as $(PYTHON).
# The rest goes into $(VENV), or is said (scripts/prepare.py).

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.ready-run
DEV := $(VENV)/.ready-dev
# Worker processes of the tests; each starts servers of its own.
WORKERS ?= 2
# More options for pytest and for benchmarks: make test ARGS="-k idle -x", make bench-sync ARGS="--rounds 5"
ARGS ?=

export VENV

.DEFAULT_GOAL := help
.PHONY: help demo test chaos screenshots check format servers bench bench-sync bench-latency bench-scale bench-pages clean

help: ## This list
	@awk -F ': .*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(RUN) ## Everything on this machine, with a mail provider to play with
	@$(BIN)/posthouse demo

test: servers $(DEV) ## All tests, against real servers (ARGS="…" for pytest)
	$(BIN)/pytest -n $(WORKERS) --dist worksteal $(ARGS)

chaos: servers $(DEV) ## 300 connectors under attack, and troubles in real time (ARGS="--rounds 10")
	EVERY_DEATH=1 $(BIN)/pytest -n $(WORKERS) -s tests/live/test_killed_sends.py
	MODEL_EXAMPLES=300 $(BIN)/pytest -n 0 tests/chaos/test_model.py
	PYTHONPATH=tests $(BIN)/python -m chaos $(ARGS)

screenshots: servers $(DEV) ## Photograph every page of the dashboard into docs/screenshots
	SCREENSHOTS=1 $(BIN)/pytest -q tests/dashboard/test_every_page.py

check: $(DEV) ## Style, formatting, types and import contracts: what CI runs besides the tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	MYPYPATH=src:tests $(BIN)/mypy --strict --explicit-package-bases scripts bench tests/conftest.py tests/peers
	$(BIN)/lint-imports

format: $(DEV) ## Format the code and mend what can be mended by itself
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: bench-sync bench-latency bench-scale bench-pages ## All benchmarks (docs/benchmarks.md says what they measure)
	PYTHONPATH=tests $(BIN)/python -m bench.first_sync --database postgresql $(ARGS)

bench-sync: $(DEV) ## The first sync of 10,000 messages, beside mbsync (ARGS="--rounds 5")
	@$(PYTHON) scripts/prepare.py bench
	PYTHONPATH=tests $(BIN)/python -m bench.first_sync $(ARGS)

bench-latency: $(DEV) ## From a delivery to the waiting SDK, beside a raw IDLE client (ARGS="--pairs 30 --crowd 200")
	@$(PYTHON) scripts/prepare.py bench
	PYTHONPATH=tests $(BIN)/python -m bench.latency $(ARGS)

bench-scale: $(DEV) ## 10,000 connectors that idle in one process (ARGS="--connectors 10000 --rest 60")
	PYTHONPATH=tests $(BIN)/python -m bench.scale $(ARGS)

bench-pages: $(DEV) ## The server's time for each page of the dashboard (ARGS="--connectors 10000 --mails 50000")
	PYTHONPATH=tests $(BIN)/python -m bench.pages $(ARGS)

servers: ## Install the servers that the tests start, where they are missing
	@$(PYTHON) scripts/prepare.py servers

clean: ## Forget the virtual environment and all caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(RUN): pyproject.toml scripts/prepare.py
	@$(PYTHON) scripts/prepare.py run

$(DEV): pyproject.toml scripts/prepare.py
	@$(PYTHON) scripts/prepare.py dev
