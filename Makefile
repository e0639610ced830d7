# What everybody types. `make` alone lists the targets.
SHELL := /bin/bash
PYTHON := .venv/bin/python
PORT ?= 8000
FAULTS ?= 100
TESTS ?= tests

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-mysql check serve bench faults lock audit

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' \
		| while IFS=$$'\t' read -r name text; do printf 'make %-10s %s\n' "$$name" "$$text"; done

setup: ## virtual environment, packages, secrets in .env
	@scripts/setup.sh run

demo: ## everything set up, then a sync against a simulated iTick
	@scripts/setup.sh run
	@$(PYTHON) -m scripts.demo

test: ## set-up and all tests: SQLite, a real MariaDB, a real browser
	@scripts/setup.sh test
	@scripts/test.sh

test-mysql: ## the tests that touch a database, on the newest MySQL of Debian's (TESTS=tests)
	@scripts/setup.sh test
	@scripts/mysql.sh
	@PYTHONHASHSEED=1 $(PYTHON) -m tests.mysql -- $(PYTHON) -m pytest -q -n auto -m mariadb $(TESTS)

check: ## format, lint, types, import rules, migrations, system checks
	@scripts/setup.sh check
	@scripts/check.sh

serve: ## the admin and a job cluster on localhost (PORT=8000)
	@scripts/setup.sh run
	@$(PYTHON) -m scripts.serve --port "$(PORT)"

bench: ## how fast it is here
	@scripts/setup.sh test
	@$(PYTHON) -m benchmarks

faults: ## kill and break everything, and look for what is lost (FAULTS=100)
	@scripts/setup.sh test
	@$(PYTHON) -m tests.faults --kills "$(FAULTS)"

lock: ## the newest packages that the requirements allow, with hashes and licences
	@scripts/setup.sh test
	@scripts/lock.sh

audit: ## are weaknesses known in the locked packages?
	@scripts/setup.sh check
	@scripts/audit.sh
