# Every target does its own set-up. Needs only Python 3.11+ and make; uses uv where there is one.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PY ?=
PYTHON  ?= $(shell command -v python$(or $(PY),3.11) || command -v python3)
DEFAULT_AIRFLOW := 3.3.2
AIRFLOW ?= $(DEFAULT_AIRFLOW)
# Another Airflow or Python gets a virtual environment of its own: make test AIRFLOW=2.11.2 PY=3.12
CELL    := $(AIRFLOW)$(addprefix -py,$(PY))
VENV    := $(if $(filter $(DEFAULT_AIRFLOW),$(CELL)),.venv,.venv-airflow-$(CELL))
DBT_VENV := .venv-dbt
V2_VENV := .venv-dbt2
# make demo DBT=2 runs dbt v2 instead of dbt-core.
DBT ?= 1
BENCH_VENV := .venv-bench
PACKAGE_VENV := .venv-package
RUNTIME_VENV := .venv-runtime
DOCS_VENV := .venv-docs
# More than cores: most tests wait for dbt, for Airflow or for a clock.
WORKERS ?= 4
CONSTRAINTS := constraints/airflow-$(AIRFLOW).txt
READY     := $(VENV)/.ready
DBT_READY := $(DBT_VENV)/.ready
V2_READY  := $(V2_VENV)/.ready
BENCH_READY := $(BENCH_VENV)/.ready
PACKAGE_READY := $(PACKAGE_VENV)/.ready
DOCS_READY := $(DOCS_VENV)/.ready

# Both have to know dependency groups: uv is left aside if it is too old, and the pip of Python 3.11 is renewed.
UV := $(shell uv pip install --help 2>/dev/null | grep -q -e --group && command -v uv)
pip = $(1)/bin/python -m pip install --quiet --disable-pip-version-check
ifdef UV
  install = $(UV) pip install --quiet --python $(1)/bin/python
else
  install = $(pip) 'pip>=25.1' && $(pip)
endif

# The extras and the dependency groups that tests need; other people's packages are tried on the newest Airflow only.
NEWEST := $(filter $(DEFAULT_AIRFLOW),$(AIRFLOW))
DEVELOP = --editable '.[local,migrate$(if $(NEWEST),$(comma)openlineage)]' --group dev $(if $(NEWEST),--group integrations)
comma := ,

# The tests that need neither dbt nor a running Airflow.
QUICK := -q --ignore tests/system --ignore tests/scenarios --ignore tests/benchmarks \
	-m "not nightly and not dbt and not airflow and not v2 and not chromium and not postgres"

# Airflow keeps its home, database and logs inside the project; dbt is found by path.
export AIRFLOW_HOME := $(CURDIR)/.airflow/$(CELL)
export AIRFLOW_DBT_RERUN_DBT := $(CURDIR)/$(if $(filter 2,$(DBT)),$(V2_VENV),$(DBT_VENV))/bin/dbt
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# Tests and the demo start hundreds of processes: without bytecode, each would compile this package anew.
unexport PYTHONDONTWRITEBYTECODE

# Tasks of Airflow 2 ask its database, those of Airflow 3 do not.
prepare_database = $(if $(filter 2.% lowest,$(AIRFLOW)),$(VENV)/bin/airflow db migrate >/dev/null)

.PHONY: help setup v2 demo test test-v2 quick matrix screenshots lint package sbom docs format bench bench-stack bench-watch soak clean

help: ## what can be made
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY) $(DBT_READY) ## both virtual environments

$(READY): pyproject.toml $(CONSTRAINTS)
	@echo "[setup] $(VENV): Airflow $(AIRFLOW) and this provider (about a minute) ..."
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@$(call install,$(VENV)) --constraint $(CONSTRAINTS) $(DEVELOP)
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
	@$(call install,$(BENCH_VENV)) --constraint constraints/airflow-$(DEFAULT_AIRFLOW).txt --editable '.[local]' --group bench
	@touch $@

# What looks at the built package has a place of its own: some of it contradicts Airflow's pins.
$(PACKAGE_READY): pyproject.toml constraints/package.txt
	@echo "[setup] $(PACKAGE_VENV): what builds the package and looks at it ..."
	@test -x $(PACKAGE_VENV)/bin/python || $(PYTHON) -m venv $(PACKAGE_VENV)
	@$(call install,$(PACKAGE_VENV)) --constraint constraints/package.txt --group package
	@touch $@

demo: setup $(if $(filter 2,$(DBT)),$(V2_READY)) ## a job that fails and heals itself, on real dbt and real Airflow (DBT=2: on dbt v2)
	@$(VENV)/bin/airflow-dbt-rerun demo

test: setup ## all tests, four at a time (WORKERS=0: one after the other; ARGS="-m nightly": what that leaves out)
	@echo "[test] pytest with $(WORKERS) workers ..."
	@$(VENV)/bin/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-v2: setup $(V2_READY) ## the tests that run dbt v2
	@$(VENV)/bin/python -m pytest -m v2 $(ARGS)

quick: $(READY) ## the tests that need neither dbt nor a running Airflow
	@$(VENV)/bin/python -m pytest $(QUICK) --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

matrix: ## the quick tests on each Python and Airflow, and on the lowest versions (ARGS=: all tests; CELLS="--python 3.13")
	@$(PYTHON) tools/matrix.py $(CELLS) $(if $(filter undefined,$(origin ARGS)),,--args='$(ARGS)')

screenshots: setup ## the pictures of docs/ui.md, taken by the tests that look at our pages (needs Chromium)
	@DBT_RERUN_SCREENSHOTS=$(CURDIR)/docs/images $(VENV)/bin/python -m pytest -m chromium tests/ui $(ARGS)

lint: $(READY) package ## ruff, mypy strict, and what package looks at
	@echo "[lint] ruff check, ruff format, mypy"
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy

package: $(PACKAGE_READY) ## build the wheel and the sdist into dist/, and look at both
	@echo "[package] validate-pyproject, build, twine check, check-wheel-contents"
	@$(PACKAGE_VENV)/bin/validate-pyproject pyproject.toml
	@rm -rf dist
	@said=$$($(PACKAGE_VENV)/bin/python -m hatchling build --directory dist 2>&1) || { echo "$$said"; exit 1; }
	@$(PACKAGE_VENV)/bin/twine check --strict dist/*
	@$(PACKAGE_VENV)/bin/check-wheel-contents dist/*.whl

# Only what users get: the package with its extras, at the versions that the tests run with.
sbom: $(PACKAGE_READY) ## dist/sbom.json (CycloneDX) and dist/licences.md: what is installed with the package
	@echo "[sbom] $(RUNTIME_VENV): the package as users install it, then cyclonedx-py and pip-licenses"
	@$(call install,$(PACKAGE_VENV)) --constraint constraints/package.txt --group sbom
	@test -x $(RUNTIME_VENV)/bin/python || $(PYTHON) -m venv --without-pip $(RUNTIME_VENV)
	@$(PACKAGE_VENV)/bin/python -m pip --python $(RUNTIME_VENV)/bin/python install --quiet --disable-pip-version-check \
	  --constraint constraints/airflow-$(DEFAULT_AIRFLOW).txt '.[local,migrate,openlineage]'
	@mkdir -p dist
	@$(PACKAGE_VENV)/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
	  --output-file dist/sbom.json $(RUNTIME_VENV)/bin/python
	@$(PACKAGE_VENV)/bin/pip-licenses --python $(RUNTIME_VENV)/bin/python --format markdown --with-urls \
	  --output-file dist/licences.md

# It reads the package and does not import it, so that it needs no Airflow.
$(DOCS_READY): pyproject.toml constraints/docs.txt
	@echo "[setup] $(DOCS_VENV): what builds the site ..."
	@test -x $(DOCS_VENV)/bin/python || $(PYTHON) -m venv $(DOCS_VENV)
	@$(call install,$(DOCS_VENV)) --constraint constraints/docs.txt --group docs
	@touch $@

docs: $(DOCS_READY) ## the documentation as a site, in site/; a broken link is an error
	@echo "[docs] mkdocs build --strict"
	@NO_MKDOCS_2_WARNING=1 $(DOCS_VENV)/bin/python -m mkdocs build --strict --quiet

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
	rm -rf .venv .venv-airflow-* $(DBT_VENV) $(V2_VENV) $(BENCH_VENV) $(PACKAGE_VENV) $(RUNTIME_VENV) $(DOCS_VENV) dist site .airflow .demo .local-platform .mypy_cache .ruff_cache .pytest_cache .hypothesis
