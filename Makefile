# The one entry point. `make` alone lists the targets.
#
# Variables:
#   PG_CONFIG=/path/to/pg_config   the server to build for and to test with (default: the installed one, 15 before later ones)
#   PROFILE=dev                    faster builds, slower code (default: release) for install, demo and what they feed

SHELL := /bin/bash
.NOTPARALLEL:
.DEFAULT_GOAL := help

SUITES := analytics pgrx regress e2e
# Test files of pgrx-tests/tests that have a quick form and full figures.
TORTURE := $(addprefix --test ,attack_functions attack_leaky attack_relations audit_chain crash dump_matrix forged_tokens \
    hostile_values host_links job_queue pgbouncer privacy_race promotion roll_up_concurrency standby time_series_conversion_crash)

.PHONY: help
help: ## list the targets
	@echo "sop_ml: usual targets are 'make demo' and 'make test'"
	@sed -nE 's/^([a-z][a-z0-9-]*):[^#]*## (.*)/  \1|\2/p' $(MAKEFILE_LIST) | \
	    while IFS='|' read -r name text; do printf '  %-16s %s\n' "$$name" "$$text"; done

.PHONY: setup
setup: ## install what is missing on this machine (PostgreSQL, clang, cargo-pgrx); safe to repeat
	@scripts/setup.sh

.PHONY: build
build: ## compile everything without installing it
	@scripts/cargo.sh build --workspace

.PHONY: install
install: ## build (release) and install into the server of PG_CONFIG
	@scripts/install.sh

.PHONY: demo
demo: setup ## build, install, start a throw-away server, load data, do the nightly run, show the results
	@scripts/demo.sh start

.PHONY: demo-stop
demo-stop: ## stop and remove the demo's server
	@scripts/demo.sh stop

.PHONY: test
test: setup ## run every suite, then all closing lines once more
	@scripts/run-suite.sh --reset
	@status=0; \
	$(MAKE) --no-print-directory --keep-going test-analytics test-pgrx test-regress test-e2e || status=1; \
	scripts/run-suite.sh --summary $(SUITES) || status=1; \
	exit $$status

.PHONY: test-analytics
test-analytics: ## the mathematics, without PostgreSQL
	@scripts/run-suite.sh analytics 1 scripts/cargo.sh test --no-fail-fast --package sop-analytics

.PHONY: test-pgrx
test-pgrx: ## tests inside the server (installs a test build; the suites below install their own again)
	@scripts/run-suite.sh pgrx 1 scripts/test-pgrx.sh

.PHONY: test-regress
test-regress: install ## golden SQL, compared with tests/pg_regress/expected
	@scripts/run-suite.sh regress 1 scripts/regress.sh

.PHONY: test-e2e
test-e2e: install ## client-side tests against real servers: install, restore, tenants, documents, demo
	@scripts/run-suite.sh e2e 1 scripts/test-e2e.sh

.PHONY: test-debian13
test-debian13: ## the whole suite on Debian 13 with PostgreSQL 17, in a root folder that it makes (as root; docs/support.md)
	@scripts/debian13.sh trixie

.PHONY: test-debian-sid
test-debian-sid: ## the same on Debian unstable, PostgreSQL 18
	@scripts/debian13.sh sid

.PHONY: test-ubuntu
test-ubuntu: ## the same on Ubuntu 24.04, PostgreSQL 16
	@scripts/debian13.sh noble

.PHONY: torture
torture: install ## the heavy end-to-end tests with their full figures (hours); SOP_ML_SEED=N for other random choices
	@SOP_ML_EFFORT=full scripts/run-suite.sh torture 1 scripts/cargo.sh test --no-fail-fast --package sop-ml-e2e $(TORTURE) -- --nocapture

.PHONY: fuzz
fuzz: install ## a million random statements of tenants against their models; SOP_ML_SEED=N for other ones
	@SOP_ML_EFFORT=full scripts/run-suite.sh fuzz 1 scripts/cargo.sh test --package sop-ml-e2e --test fuzz -- --nocapture

.PHONY: test-timescale
test-timescale: install ## the time series on TimescaleDB, whichever edition the server has, and on plain PostgreSQL
	@scripts/run-suite.sh timescale 10 scripts/cargo.sh test --no-fail-fast --package sop-ml-e2e \
	    --test time_series_backends --test time_series_conversion --test time_series_conversion_crash --test time_series_vault \
	    --test time_series_vault_plans -- --nocapture

.PHONY: installcheck
installcheck: ## golden SQL against the running server of PGHOST, PGPORT, PGUSER (superuser; extension installed there)
	@scripts/regress.sh --running

.PHONY: lint
lint: ## formatting, clippy, rules for the SQL files, pgspot, shellcheck where present
	@scripts/lint.sh

.PHONY: fmt
fmt: ## format the Rust code
	@cargo fmt --all

.PHONY: bench
bench: install ## measure analytics with criterion and the SQL of bench/sql in a throw-away server
	@scripts/bench.sh

.PHONY: bench-vault
bench-vault: install ## mode vault beside its own table, where the server has TimescaleDB's Community edition (ROWS=1000000 for less)
	@scripts/bench-vault.sh

.PHONY: bench-volume
bench-volume: install ## three months of ten restaurants, loaded, rolled up, asked for and archived (SHARE=0.1 for a tenth)
	@scripts/bench-volume.sh

.PHONY: doc
doc: install ## regenerate docs/schema.md from the comments in the database
	@scripts/cargo.sh run --package sop-ml-e2e --bin schema-doc -- docs/schema.md
