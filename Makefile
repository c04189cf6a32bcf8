# One word for each daily act; bare `make` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PY := .venv/bin/python
DATA ?= .shoal
.PHONY: help setup lock demo down gen gen-check map-page map-page-check clients lint format types imports licences check test test-nightly test-gpu bench bench-gpu clean

help: ## List these words
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

setup: .venv/.complete ## Make .venv with everything that the lock file names

.venv/.complete: requirements/dev.lock requirements/uv.lock pyproject.toml
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Shoal needs Python 3.11 or newer")'
	@python3 -m venv .venv || { echo "python3 -m venv failed: on Debian and Ubuntu, install the package python3-venv"; exit 1; }
	@.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.lock
	@.venv/bin/uv pip sync --python $(PY) --quiet --require-hashes requirements/dev.lock requirements/uv.lock
	@.venv/bin/uv pip install --python $(PY) --quiet --no-deps --no-build-isolation -e .
	@$(PY) -m tools.compile_bytecode
	@$(PY) -m tools.browser
	@touch $@

lock: ## Resolve the lock files again
	.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml --extra cpu --extra local-embed --extra rerank --extra embedded --group dev -o requirements/dev.lock
	.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml --extra cpu --extra local-embed --extra rerank -o requirements/image.lock
	.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --group nightly -o requirements/nightly.lock
	.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements/uv.in -o requirements/uv.lock
	.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements/build.in -o requirements/build.lock

demo: setup ## Run the main job on real text and leave it running
	@.venv/bin/shoal demo --data $(DATA)

down: ## Stop what the demo started
	@.venv/bin/shoal down --data $(DATA)

gen: setup ## Generate gen/ from proto/
	@$(PY) tools/generate.py
	@$(PY) tools/readme.py

gen-check: setup ## Fail when gen/ differs from what proto/ gives
	@$(PY) tools/generate.py --check
	@$(PY) tools/readme.py --check

map-page: setup ## Bundle the page of `shoal map` from tools/map_page
	@$(PY) -m tools.map_page

map-page-check: setup ## Fail when the bundled page differs from what tools/map_page gives
	@$(PY) -m tools.map_page --check

clients: setup ## Run the scenario of examples/clients in every language that this machine has
	@$(PY) tools/clients.py

lint: setup ## Format check, ruff, buf
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/ruff check --quiet .
	@.venv/bin/buf format -d --exit-code proto

format: setup ## Format everything
	@.venv/bin/ruff format --quiet .
	@.venv/bin/ruff check --quiet --fix .
	@.venv/bin/buf format -w proto

types: setup ## mypy, strict
	@.venv/bin/mypy src tools tests clients/python/shoal/client examples/clients/python

imports: setup ## The layers, as an executable contract
	@.venv/bin/lint-imports --no-cache

licences: setup ## No run-time dependency under GPL or AGPL, none without a licence
	@$(PY) tools/licences.py

check: gen-check map-page-check lint types imports licences ## Everything that is checked without running Shoal

test: setup ## The tests, with real PostgreSQL, Redis and Envoy from their wheels
	@.venv/bin/pytest -n 2 --dist loadgroup -m "not nightly and not gpu"

test-nightly: setup ## The long form: more kills, more seeds, larger files, a real S3 server
	@.venv/bin/uv pip install --python $(PY) --quiet --require-hashes -r requirements/nightly.lock
	@.venv/bin/pytest -n 2 --dist loadgroup -m "not gpu" --nightly

test-gpu: setup ## The suites that need a CUDA device
	@.venv/bin/pytest -m gpu

bench: setup ## Every benchmark, each beside its named peer
	@$(PY) -m benchmarks

bench-gpu: setup ## The benchmarks that need a CUDA device
	@$(PY) -m benchmarks --gpu

clean: ## Remove what is generated outside gen/
	@rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
