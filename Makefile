# make help lists what one can do. Needs Python >= 3.11 and make, nothing else.
PYTHON  ?= python3
VENV    := .venv
BIN     := $(VENV)/bin
ARGS    ?=
WORKERS ?= $(shell expr `nproc` + 2)

.DEFAULT_GOAL := help
.PHONY: help install up cluster test check format bench bench-rules bench-epidemic soak browser clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

$(VENV)/.installed: pyproject.toml hatch_build.py frontend/package-lock.json $(shell find frontend/src -type f)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Hucheng needs Python >= 3.11; this is $$($(PYTHON) -V). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable ".[dev,postgresql]"
	@touch $@

install: $(VENV)/.installed ## install into .venv

up: install ## install and start a node (make up ARGS="--port 8650")
	@exec $(BIN)/hucheng up $(ARGS)

browser: ## install Chromium and a Chinese font where the tests need them
	@tests/browser.sh

cluster: $(VENV)/.installed-dev ## install Spark for its tests (490 MB; needs Java >= 17)
	$(BIN)/python -m pip install --quiet --editable ".[cluster]"
	@tests/java.sh

test: $(VENV)/.installed-dev browser ## all tests (make test ARGS="-k journal")
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(VENV)/.installed-dev ## format, lint, types, import directions
	$(BIN)/ruff format --check src tests bench hatch_build.py
	$(BIN)/ruff check src tests bench hatch_build.py
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev ## put code into its form
	$(BIN)/ruff format src tests bench hatch_build.py
	$(BIN)/ruff check --fix src tests bench hatch_build.py

bench: $(VENV)/.installed-dev ## measure; writes bench/results.json and prints the table (ARGS="--quick")
	$(BIN)/python -m bench $(ARGS)

bench-rules: $(VENV)/.installed-dev ## measure the rules kernel alone, OpenFisca-Core beside it
	$(BIN)/python -m pip install --quiet --editable ".[bench]"
	$(BIN)/python -m bench rules persons packs $(ARGS)

bench-epidemic: $(VENV)/.installed-dev ## measure the epidemic app alone (HUCHENG_BENCH_LARGE=1: also a city ten times as large)
	$(BIN)/python -m bench contacts now forecasts $(ARGS)

soak: $(VENV)/.installed-dev ## the long fault runs
	$(BIN)/python -m pytest -m soak --timeout 7200 $(ARGS)

clean: ## remove the environment and what was built
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis src/hucheng/portals/static/dist
