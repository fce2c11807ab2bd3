# Every target sets up what it needs and is quick the second time. `make help` lists them.
SHELL := /bin/sh
PYTHON := .venv/bin/python
STAMP := .venv/.synced
ARGS ?=
# Where it is set, each of the hundreds of processes that the tests start compiles anew what it imports.
unexport PYTHONDONTWRITEBYTECODE
MINUTES ?= 60
DOCUMENTED = board-1440-light failed-flow-1440-light pull-request-1440-light pull-request-390-dark

.DEFAULT_GOAL := help
.PHONY: help setup demo run test chaos pictures lint format mutants bench soak

help: ## What there is
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## Install what is locked into .venv, and the stand-ins of the demo and the tests
	@$(PYTHON) -m bot.demo.standins

$(STAMP): uv.lock pyproject.toml
	@UV=$$(.ci/uv) && "$$UV" sync --locked --quiet
	@touch $@

demo: setup ## The whole job on real parts, with a crash in the middle (ONCE=1: unattended, exits 0 only if all held)
	@$(PYTHON) -m bot.demo $(if $(ONCE),--once) $(ARGS)

run: $(STAMP) ## The bot in production shape on this machine, with the settings in the environment or .env
	@$(PYTHON) -m bot serve $(ARGS)

test: setup ## Every tier of tests (ARGS="-k reminder" for some)
	@.ci/browser > /dev/null || true
	@$(PYTHON) -m pytest -n 6 --dist worksteal $(ARGS)

chaos: setup ## The heavy proofs of the engine in their long form, and the figures they measured
	@VIGIL_CHAOS=1 $(PYTHON) -m pytest -m chaos -n 2 --dist worksteal --timeout 3600 $(ARGS)

pictures: setup ## Every page of the dashboard, at two widths, light and dark, into pictures/; the documentation's into docs
	@.ci/browser > /dev/null
	@VIGIL_CHAOS=1 $(PYTHON) -m pytest -q tests/acceptance/dashboard/test_pictures.py
	@cp $(DOCUMENTED:%=pictures/%.png) docs/images/dashboard

lint: $(STAMP) ## Format, lint, types, import law
	@$(PYTHON) -m ruff format --check --quiet .
	@$(PYTHON) -m ruff check --quiet .
	@$(PYTHON) -m mypy bot handlers integrations durable config tests
	@.venv/bin/lint-imports --no-logo

format: $(STAMP) ## Mend what ruff can mend
	@$(PYTHON) -m ruff check --fix --quiet . ; $(PYTHON) -m ruff format --quiet .

mutants: setup ## Plant bugs, one after the other: each has to turn a test red
	@$(PYTHON) -m tests.mutants $(ARGS)

bench: $(STAMP) ## The engine beside DBOS on one PostgreSQL, about 4 minutes (ARGS="--long", "--rounds 5", "--without-dbos")
	@$(PYTHON) -m tests.benchmarks $(ARGS)

soak: $(STAMP) ## A steady load for an hour (MINUTES=10 for less): what should stay flat, as a table, a CSV and a picture
	@$(PYTHON) -m tests.soak --minutes $(MINUTES) $(ARGS)
