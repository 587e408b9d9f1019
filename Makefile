# Everything that a person runs. `make` alone shows it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

UV_VERSION := 0.13.9
UV := .tools/bin/uv
RUN := .venv/bin
TIDEMARK := $(RUN)/tidemark
MINUTES ?= 30
# Of the tests. Each has a broker and a Spark of its own: 4 GB and a core of two.
WORKERS ?= 2

# What is not on this machine is named, never fetched behind its back.
export UV_PYTHON_DOWNLOADS := never
# In many containers and build machines Python may not keep what it compiles: each process would take twice the time.
export UV_COMPILE_BYTECODE := 1

##@ Help
.PHONY: help
help: ## Show this
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Set-up (every target does its own; these are for doing it ahead)
.PHONY: setup environments setup-streams
setup: environments .jars/classes.jsa ## Everything, and an archive of classes, from which Spark starts in half the time

environments: setup-streams .venv-airflow/.stamp ## The lakehouse's environment, the jars, Airflow's environment

setup-streams: .venv/.stamp jars redis ## What Kafka, the streams and the warehouse need: no Airflow

.PHONY: machine
machine:
	@missing() { printf '%s is missing.\n  fix: %s\n' "$$1" "$$2" >&2; exit 1; }; \
	python3.11 -c 'import ensurepip, venv' 2>/dev/null \
	  || missing "Python 3.11 with its venv module" "sudo apt-get install python3.11 python3.11-venv"; \
	command -v java >/dev/null || [ -x "$${JAVA_HOME:-}/bin/java" ] \
	  || missing "Java 17" "sudo apt-get install openjdk-17-jdk-headless"; \
	[ -e .jars/.complete ] || command -v mvn >/dev/null \
	  || missing "Maven" "sudo apt-get install maven"

# Debian's packages, unless all their programs are there already. What is missing without them is said, and stops nothing.
# A package's own service would hold its port: it is neither left running nor started at boot.
# $(call packages,PROGRAMS,PACKAGES,WHAT IS MISSING,SERVICES)
define packages
@[ "$$(command -v $(1) | wc -l)" = $(words $(1)) ] && exit 0; \
missing() { printf '%s\n  fix: %s\n' '$(3)' 'sudo apt-get install $(2)' >&2; exit 0; }; \
as_root=(env DEBIAN_FRONTEND=noninteractive); [ "$$(id -u)" = 0 ] || as_root=(sudo -n "$${as_root[@]}"); \
command -v apt-get >/dev/null && "$${as_root[@]}" true 2>/dev/null || missing; \
echo 'Installing of Debian: $(2) ...'; \
install() { "$${as_root[@]}" apt-get install --yes --quiet=2 --no-install-recommends $(2); }; \
install || { "$${as_root[@]}" apt-get update --quiet=2 && install; } || missing; \
for service in $(4); do \
  "$${as_root[@]}" service "$$service" stop || true; \
  "$${as_root[@]}" update-rc.d "$$service" disable || true; \
done
endef

.PHONY: redis
redis: | machine
	$(call packages,redis-server,redis-server,redis-server is missing: product_sales goes to Delta alone.,redis-server)

# Metrics and alerts; the programs that check both come with them.
.PHONY: setup-ops
setup-ops: | machine ## Prometheus and Alertmanager, which `make up` then starts too
	$(call packages,prometheus promtool prometheus-alertmanager amtool,prometheus prometheus-alertmanager,Prometheus or \
	  Alertmanager is missing: no metrics are kept and nothing alerts.,prometheus prometheus-alertmanager)

# The tests look at the pages in a real browser.
.PHONY: browser
browser: | machine
	$(call packages,chromium chromedriver,chromium chromium-driver,Chromium is missing: the pages can not be tested.)

.PHONY: jars
jars: | machine
	@streaming/jvm/fetch.sh

# It takes a minute, so nobody who only wants to start something waits for it; without it, or where it does not fit to
# the jars any more, Java starts as ever.
.jars/classes.jsa: .venv/.stamp $(shell find streaming/jvm -name '*.java' -o -name pom.xml -o -name jars.sha256) | jars
	@$(RUN)/python -m streaming.class_archive

.tools/.uv-$(UV_VERSION): | machine
	@echo "Installing uv $(UV_VERSION) into .tools ..."
	@python3.11 -m venv .tools
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@

# The order matters: a sync removes what the lock doesn't list, and that is Tidemark itself.
.venv/.stamp: .tools/.uv-$(UV_VERSION) requirements.lock pyproject.toml
	@echo "Installing the lakehouse's environment into .venv ..."
	@$(UV) venv --quiet --allow-existing --python python3.11 .venv
	@$(UV) pip sync --python $(RUN)/python --require-hashes requirements.lock
	@$(UV) pip install --quiet --python $(RUN)/python --no-deps --no-build-isolation --editable .
	@$(RUN)/python -m compileall -q expectations streaming tidemark
	@touch $@

.venv-airflow/.stamp: .tools/.uv-$(UV_VERSION) dags/requirements.lock
	@echo "Installing Airflow's environment into .venv-airflow ..."
	@$(UV) venv --quiet --allow-existing --python python3.11 .venv-airflow
	@$(UV) pip sync --python .venv-airflow/bin/python --require-hashes dags/requirements.lock
	@touch $@

##@ Run
.PHONY: demo up down status stream-up stream-down dbt
demo: environments ## Start everything, produce events, land, build and prove them, and show the result
	@$(TIDEMARK) demo

up: environments ## Start everything and return when it is ready
	@$(TIDEMARK) up

down: ## Stop everything; no process is left
	@if [ -x $(TIDEMARK) ]; then $(TIDEMARK) down; else echo "nothing runs: nothing is set up"; fi

status: ## Show what runs
	@if [ -x $(TIDEMARK) ]; then $(TIDEMARK) status; else echo "nothing runs: nothing is set up"; fi

stream-up: setup-streams ## Start Kafka and the streams alone
	@$(TIDEMARK) up streams

stream-down: ## Stop the streams gracefully, then Kafka
	@if [ -x $(TIDEMARK) ]; then $(TIDEMARK) down streams; else echo "nothing runs: nothing is set up"; fi

dbt: setup-streams ## Build silver and gold (starts the warehouse if it doesn't run)
	@$(TIDEMARK) up warehouse
	@$(TIDEMARK) dbt build

##@ Prove
.PHONY: test test-faults soak bench check
test: setup browser setup-ops ## Run the tests
	@$(RUN)/pytest tests -m "not repeat" -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-faults: setup setup-ops ## Run the faults many times over, and fire every alert (as root: it mounts a small disk)
	@$(RUN)/pytest tests -m repeat

soak: setup ## Half an hour of load with a fault every five minutes, then a proof: make soak MINUTES=60
	@$(RUN)/python -m benchmarks.soak --minutes $(MINUTES)

bench: setup-streams ## Measure ingest beside the tutorial way and the local ceiling, upkeep, and all streams together
	@$(RUN)/python -m benchmarks.ingest $(ARGS)
	@$(RUN)/python -m benchmarks.upkeep
	@$(RUN)/python -m benchmarks.streams
	@$(RUN)/python -m benchmarks.churn

check: .venv/.stamp ## Lint, types, import lines, SQL, contracts
	@$(RUN)/ruff check
	@$(RUN)/ruff format --check
	@$(RUN)/mypy
	@$(RUN)/lint-imports
	@$(RUN)/sqlfluff lint dbt_project
	@$(TIDEMARK) contracts check

##@ Maintain
.PHONY: lock format clean
COMPILE = $(UV) pip compile --generate-hashes --python-version 3.11 --no-emit-index-url --quiet
lock: .tools/.uv-$(UV_VERSION) ## Resolve both environments anew into their lock files
	@$(COMPILE) pyproject.toml --group dev --output-file requirements.lock
	@$(COMPILE) dags/requirements.in --output-file dags/requirements.lock

format: .venv/.stamp ## Format Python and SQL
	@$(RUN)/ruff check --fix
	@$(RUN)/ruff format
	@$(RUN)/sqlfluff fix dbt_project

clean: ## Remove caches and what was built; environments, jars and var/ stay
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@rm -rf dbt_project/target dbt_project/logs streaming/jvm/target streaming/jvm/*/target
	@find . -name __pycache__ -type d -not -path './.*' -prune -exec rm -rf {} +
