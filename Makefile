# Every target does its own set-up. Needs only Python 3.11+ and make; uses uv where there is one.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON  ?= $(shell command -v python3.11 || command -v python3)
DEFAULT_AIRFLOW := 3.3.2
AIRFLOW ?= $(DEFAULT_AIRFLOW)
# Another Airflow gets a virtual environment of its own: make test AIRFLOW=2.11.2
VENV    := $(if $(filter $(DEFAULT_AIRFLOW),$(AIRFLOW)),.venv,.venv-airflow-$(AIRFLOW))
DBT_VENV := .venv-dbt
V2_VENV := .venv-dbt2
# make demo DBT=2 runs dbt v2 instead of dbt-core.
DBT ?= 1
BENCH_VENV := .venv-bench
# More than cores: most tests wait for dbt, for Airflow or for a clock.
WORKERS ?= 3
CONSTRAINTS := constraints/airflow-$(AIRFLOW).txt
READY     := $(VENV)/.ready
DBT_READY := $(DBT_VENV)/.ready
V2_READY  := $(V2_VENV)/.ready
BENCH_READY := $(BENCH_VENV)/.ready

comma := ,

UV := $(shell command -v uv)
ifdef UV
  install = $(UV) pip install --quiet --python $(1)/bin/python
else
  install = $(1)/bin/python -m pip install --quiet --disable-pip-version-check
endif

# Airflow keeps its home, database and logs inside the project; dbt is found by path.
export AIRFLOW_HOME := $(CURDIR)/.airflow/$(AIRFLOW)
export AIRFLOW_DBT_RERUN_DBT := $(CURDIR)/$(if $(filter 2,$(DBT)),$(V2_VENV),$(DBT_VENV))/bin/dbt
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# Tests and the demo start hundreds of processes: without bytecode, each would compile this package anew.
unexport PYTHONDONTWRITEBYTECODE

# Tasks of Airflow 2 ask its database, those of Airflow 3 do not.
prepare_database = $(if $(filter 2.%,$(AIRFLOW)),$(VENV)/bin/airflow db migrate >/dev/null)

.PHONY: help setup v2 demo test test-v2 screenshots lint format bench bench-stack bench-watch soak clean

help: ## what can be made
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY) $(DBT_READY) ## both virtual environments

$(READY): pyproject.toml $(CONSTRAINTS)
	@echo "[setup] $(VENV): Airflow $(AIRFLOW) and this provider (about a minute) ..."
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@$(call install,$(VENV)) --constraint $(CONSTRAINTS) --editable '.[dev$(if $(filter $(DEFAULT_AIRFLOW),$(AIRFLOW)),$(comma)integrations)]'
	@$(prepare_database)
	@touch $@

$(DBT_READY): constraints/dbt.txt
	@echo "[setup] $(DBT_VENV): dbt-core with the DuckDB and Postgres adapters ..."
	@test -x $(DBT_VENV)/bin/python || $(PYTHON) -m venv $(DBT_VENV)
	@$(call install,$(DBT_VENV)) --requirement constraints/dbt.txt
	@touch $@

v2: $(V2_READY) ## the virtual environment of dbt v2 (120 MB of packages)

$(V2_READY): constraints/dbt-v2.txt tools/set_up_dbt_v2.py
	@echo "[setup] $(V2_VENV): dbt v2 with DuckDB and Postgres ..."
	@test -x $(V2_VENV)/bin/python || $(PYTHON) -m venv $(V2_VENV)
	@$(call install,$(V2_VENV)) --only-binary :all: --requirement constraints/dbt-v2.txt
	@$(V2_VENV)/bin/python tools/set_up_dbt_v2.py
	@$(V2_VENV)/bin/dbt --version
	@touch $@

# What only one benchmark needs stays out of the environment that tests and CI use.
$(BENCH_READY): pyproject.toml constraints/airflow-$(DEFAULT_AIRFLOW).txt
	@echo "[setup] $(BENCH_VENV): Airflow with Celery and the clients of PostgreSQL and Redis ..."
	@test -x $(BENCH_VENV)/bin/python || $(PYTHON) -m venv $(BENCH_VENV)
	@$(call install,$(BENCH_VENV)) --constraint constraints/airflow-$(DEFAULT_AIRFLOW).txt --editable '.[bench]'
	@touch $@

demo: setup $(if $(filter 2,$(DBT)),$(V2_READY)) ## a job that fails and heals itself, on real dbt and real Airflow (DBT=2: on dbt v2)
	@$(VENV)/bin/airflow-dbt-rerun demo

test: setup ## all tests, three at a time (WORKERS=0: one after the other; ARGS="-m nightly": what that leaves out)
	@echo "[test] pytest with $(WORKERS) workers ..."
	@$(VENV)/bin/python -m pytest --numprocesses $(WORKERS) --dist loadfile $(ARGS)

test-v2: setup $(V2_READY) ## the tests that run dbt v2
	@$(VENV)/bin/python -m pytest -m v2 $(ARGS)

screenshots: setup ## the pictures of docs/ui.md, taken by the tests that look at our pages (needs Chromium)
	@DBT_RERUN_SCREENSHOTS=$(CURDIR)/docs/images $(VENV)/bin/python -m pytest -m chromium tests/ui $(ARGS)

lint: $(READY) ## ruff and mypy strict
	@echo "[lint] ruff check, ruff format, mypy"
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy

format: $(READY) ## let ruff fix what it can
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

bench: setup ## the figures the documentation quotes
	@$(VENV)/bin/python -m benchmarks

bench-stack: $(BENCH_READY) ## 200 tasks on Celery, PostgreSQL and Redis (about twenty minutes; TASKS=20 is quicker)
	@PATH=$(CURDIR)/$(BENCH_VENV)/bin:$$PATH $(BENCH_VENV)/bin/python -m benchmarks stack

bench-watch: setup ## what watching 1 to 5,000 runs costs, beside the official trigger; draws docs/watching.png
	@$(VENV)/bin/python -m benchmarks watch

soak: $(BENCH_READY) ## 30 minutes of everything going wrong, on the whole stack (ARGS="--minutes 2 --tasks 30" is quicker)
	@PATH=$(CURDIR)/$(BENCH_VENV)/bin:$$PATH $(BENCH_VENV)/bin/python -m benchmarks soak $(ARGS)

clean: ## remove everything that make created
	rm -rf .venv .venv-airflow-* $(DBT_VENV) $(V2_VENV) $(BENCH_VENV) .airflow .demo .local-platform .mypy_cache .ruff_cache .pytest_cache .hypothesis
