# Everything runs in .venv, made here from hash-pinned wheels. `make help` lists the targets.
PYTHON ?= python3
ARGS   ?=
# Half of the time is waiting, so two workers pay even on two cores; each has a Kafka and a Valkey of its own.
TOGETHER ?= --numprocesses 2 --dist loadfile --no-loadscope-reorder
BIN    := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo test check lint types layers format bench bench-actions bench-challenger screenshots bundles lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The stamp is the last thing made, so an install that was cut off is run again.
.venv/.installed: requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Countersign needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

setup: .venv/.installed  ## make .venv with everything the project needs

demo: setup  ## run everything on a real Kafka and a real Valkey, and play logins (ARGS=--exit ends then)
	@$(BIN)/countersign demo $(ARGS)

test: setup  ## run all tests, two files at a time (ARGS="tests/unit -k waves" chooses some)
	@$(BIN)/python -m pytest $(if $(ARGS),$(ARGS),$(TOGETHER))

check: lint types layers  ## ruff, mypy --strict, import-linter

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: setup
	@$(BIN)/mypy

layers: setup
	@$(BIN)/lint-imports

format: setup  ## let ruff format and sort the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: setup  ## measure the decider against two loops by hand
	@$(BIN)/python tests/benchmarks/bench_decider.py $(ARGS)

bench-actions: setup  ## measure what tenants' Actions cost
	@$(BIN)/python tests/benchmarks/bench_actions.py $(ARGS)

bench-challenger: setup  ## measure round trips through the challenger, and visits during a sweep
	@$(BIN)/python tests/benchmarks/bench_challenger.py $(ARGS)

screenshots: setup  ## take the pictures of the walk again (needs a Chromium)
	@PYTHONPATH=. $(BIN)/python -m tests.e2e.screenshots $(ARGS)

bundles:  ## build what the sandbox takes from npm anew (needs Node)
	@cd tools/bundles && npm install --no-package-lock --no-audit --no-fund --ignore-scripts && node build.mjs

lock: setup  ## resolve the dependencies anew
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
		--extra services pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
		--extra services --extra local --group dev pyproject.toml -o requirements-dev.lock

clean:  ## remove what the targets made
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
