# `make help` lists the targets. Every target sets up what it needs by itself.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
NODE_MODULES := clients/typescript/node_modules/.package-lock.json
BASE ?= main
UV_LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --no-emit-package evalrpc --custom-compile-command "make lock"

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(READY) ## Create .venv and install both packages from the lock file

$(READY): requirements.lock pyproject.toml clients/python/pyproject.toml
	.ci/setup "$(VENV)"
	touch $@

.PHONY: demo
demo: $(READY) ## Run an experiment over the capitals of the world and clean up
	$(BIN)/python clients/python/examples/capitals/run.py

.PHONY: serve
serve: $(READY) ## Start a server on 127.0.0.1:50051 with its data in ./data
	$(BIN)/evalrpc-server serve

.PHONY: test
test: lint types check-generated pytest test-typescript test-go conformance ## Check and test everything; this is what CI runs

.PHONY: pytest
pytest: $(READY) $(NODE_MODULES) ## Run the Python tests; ARGS="tests/store -k commit" picks some
	.ci/install-postgres
	.ci/install-grpcurl
	$(BIN)/pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: test-report
test-report: $(READY) ## Test the HTML report in headless Chromium, which it installs where it is missing
	.ci/install-chromium
	$(BIN)/pytest tests/report/in_browser.py $(ARGS)

$(NODE_MODULES): clients/typescript/package-lock.json
	npm --prefix clients/typescript ci --no-audit --no-fund --loglevel=error
	touch $@

.PHONY: test-typescript
test-typescript: $(READY) $(NODE_MODULES) ## Check and test the TypeScript client
	EVALRPC_SERVER="$(abspath $(BIN))/evalrpc-server" npm --prefix clients/typescript test --silent

.PHONY: test-go
test-go: $(READY) ## Check and test the Go client
	cd clients/go && test -z "$$(gofmt -l . | tee /dev/stderr)" && go vet ./...
	cd clients/go && go tool -modfile=tools/lint/go.mod staticcheck ./...
	cd clients/go && EVALRPC_SERVER="$(abspath $(BIN))/evalrpc-server" go test ./...

.PHONY: conformance
conformance: $(READY) $(NODE_MODULES) ## Compare the clients feature by feature; ARGS=--write writes the table of what they can do
	cd tests/conformance && test -z "$$(gofmt -l . | tee /dev/stderr)" && go vet ./...
	cd clients/typescript && npx --no-install prettier --config .prettierrc.json --check --log-level warn '../../tests/conformance/**/*.ts'
	clients/typescript/node_modules/.bin/eslint -c clients/typescript/eslint.config.js --max-warnings 0 'tests/conformance/**/*.ts'
	$(BIN)/python -m tests.conformance $(ARGS)
	$(BIN)/python -m tests.conformance.survival

.PHONY: lint
lint: $(READY) ## Check style, layering and the .proto files
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-logo
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code
	.ci/check-breaking "$(BIN)/buf" "$(BASE)"

.PHONY: format
format: $(READY) ## Format Python and .proto files, apply safe fixes
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/buf format --write

.PHONY: types
types: $(READY) ## Check types strictly
	$(BIN)/mypy

.PHONY: generate
generate: $(READY) ## Generate the clients' code from the .proto files
	PATH="$(abspath $(BIN)):$$PATH" .ci/generate

.PHONY: check-generated
check-generated: $(READY) ## Fail if the committed generated code is stale
	PATH="$(abspath $(BIN)):$$PATH" .ci/generate --check

.PHONY: docs
docs: $(READY) ## Write the documentation of the builtins from their catalogue
	$(BIN)/python -m evalrpc_server.evaluators.documentation > server/docs/evaluators.md

.PHONY: bench
bench: $(READY) ## Measure against the peers, workers, comparisons and the report; writes a JSON file
	$(BIN)/python -m tests.benchmark $(ARGS)
	$(BIN)/python -m tests.benchmark.workers
	$(BIN)/python -m tests.benchmark.comparison
	$(BIN)/python -m tests.benchmark.page

.PHONY: lock
lock: $(READY) ## Resolve the dependencies anew, with hashes; ARGS=--upgrade takes newer versions
	$(UV_LOCK) $(ARGS) --all-extras --group pyproject.toml:dev pyproject.toml clients/python/pyproject.toml \
		--output-file requirements.lock
	$(UV_LOCK) $(ARGS) --extra postgres --constraints requirements.lock pyproject.toml \
		--output-file server/requirements.lock
	echo setuptools | $(UV_LOCK) --constraints requirements.lock --output-file server/build.lock -

.PHONY: clean
clean: ## Remove the environment, caches and build output
	rm -rf $(VENV) .tools .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist
	find . -name .git -prune -o \( -name __pycache__ -o -name '*.egg-info' \) -type d -exec rm -rf {} +
