# The few commands people type. `make` alone lists them. On Windows, type what stands below each name.
BIN = .venv/bin

.PHONY: help install test fast lint format docs site bench hooks

help:  ## List the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

install:  ## Make the environment, with all that tests and linters need
	python3 -m venv .venv && $(BIN)/pip install -c constraints.txt -e '.[test]'

test:  ## Run every test, on every core
	$(BIN)/pytest

fast:  ## Run the tests that take no browser, no real data and under a minute in all
	$(BIN)/pytest -m fast

lint:  ## Check style, types and the order of the rooms
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

format:  ## Format the code and sort imports
	$(BIN)/ruff check --fix --select I . && $(BIN)/ruff format .

docs:  ## Write what is made from the code: the data dictionary, the configuration reference, the map's field names
	$(BIN)/python -m pipeline.publish.dictionary > outputs/README.md
	$(BIN)/python -m pipeline.config.reference > docs/configuration.md
	$(BIN)/python -m pipeline.config.reference --schema > docs/config.schema.json
	$(BIN)/python -m pipeline.publish.map

site:  ## Build the documentation site into build/site
	$(BIN)/sphinx-build -q -W --keep-going -b html docs build/site

bench:  ## Measure a run against the script an analyst would write
	$(BIN)/python -m tests.benchmarks --rows 10000 --rows 100000

hooks:  ## Check every commit with ruff and mypy before it is made
	$(BIN)/pre-commit install
