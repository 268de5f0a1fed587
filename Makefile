# `make` lists the targets. Everything that is made here lies in .venv, docs/_build and $(TEST_IMAGES).
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
# Outside the tree: tests that run as root start database servers under users who may not reach a home folder.
TEST_IMAGES ?= $(or $(TMPDIR),/tmp)/instar-test-images-$(shell id -u)
FAULT_ROWS := $(TEST_IMAGES)/fault-rows.jsonl
export INSTAR_TEST_IMAGES := $(TEST_IMAGES)
export INSTAR_TEST_ENGINES ?= $(TEST_IMAGES)/engines

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

.PHONY: venv
venv: .venv/.installed ## make .venv with everything that development needs

.venv/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
		echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=/path/to/python3" >&2
		exit 1
	}
	# Debian's python3 without python3-venv can't put pip into an environment; its pip, where installed, can.
	test -x $(BIN)/pip || $(PYTHON) -m venv .venv >/dev/null 2>&1 || {
		rm -rf .venv
		$(PYTHON) -m venv --without-pip .venv
		$(PYTHON) -m pip --python $(BIN)/python install --quiet pip
	} || {
		rm -rf .venv
		echo "$(PYTHON) can't make a virtual environment. Try: apt-get install python3-venv" >&2
		exit 1
	}
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev,docs]'
	touch $@

.PHONY: lint
lint: venv ## format, lint, types, import contracts
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: check
check: lint ## lint, then unit and scenario tests: what every change passes
	$(BIN)/pytest -q -n auto -p no:schemathesis tests/unit tests/scenario

.PHONY: test
test: lint engines systems ## everything: check, then contract, crash and live tests
	$(BIN)/pytest -q -n auto tests/unit tests/scenario $(wildcard tests/contract tests/crash)
	$(BIN)/pytest -q -n auto --dist loadfile tests/live

LIVE ?= tests/live
.PHONY: live
live: engines ## live tests only: real processes and databases (LIVE=tests/live/test_kills.py for some of them)
	$(BIN)/pytest -q $(LIVE)

.PHONY: test-clients
test-clients: venv ## stock OpenStack clients, from PyPI, with a Keystone (also from there) and a control plane to talk to
	$(BIN)/pytest -q tests/clients

.PHONY: systems
systems: venv ## `make images`, where this machine can; elsewhere the tests that want them skip and say why
	if [ "$$(id -u)" = 0 ] && command -v mmdebstrap >/dev/null && command -v podman >/dev/null; then
		$(MAKE) images
	fi

LAB ?= tests/openstack/lab/openstack-lab
LAB_STATE ?= /var/lib/openstack-lab
.PHONY: test-openstack
test-openstack: venv ## the openstack provider on a real OpenStack, installed here first: as root, some 3 GB (LAB_STATE=)
	LAB_STATE=$(LAB_STATE) $(LAB) install
	LAB_STATE=$(LAB_STATE) $(LAB) up
	export INSTAR_TEST_LAB=$(LAB_STATE)
	tests="-p no:schemathesis -k openstack --durations=25 tests/openstack tests/contract/providers"
	$(BIN)/pytest -q -n 2 --dist loadfile -m "not alone" $$tests
	$(BIN)/pytest -q -n 0 -m alone $$tests

.PHONY: test-crash
test-crash: engines ## the whole crash suite (an hour or two), and the fault table in docs/reference made from it
	rm -f $(FAULT_ROWS)
	INSTAR_FAULT_ROWS=$(FAULT_ROWS) $(BIN)/pytest -q -n auto -m "crash_all or not crash_all" tests/crash/test_every_point.py
	INSTAR_FAULT_ROWS=$(FAULT_ROWS) $(BIN)/pytest -q -m "live or crash_all" --ignore tests/crash/test_every_point.py tests/crash
	$(BIN)/python tests/crash/fault_table.py $(FAULT_ROWS)

.PHONY: soak
soak: engines ## faults at random on a dozen instances (SEED=1 MINUTES=10)
	$(BIN)/python tests/crash/soak.py --seed $(or $(SEED),1) --minutes $(or $(MINUTES),10)

.PHONY: engines
engines: venv ## build the image whose database programs the contract tests run
	path=$$($(BIN)/instar image build postgresql-18.6 --image-dir $(TEST_IMAGES) -f value -c path)
	ln -sfn "$$path/tree" $(TEST_IMAGES)/engines

# A first build takes one to three minutes of a core and some 400 MB; a later one half a minute, or a second when nothing changed.
SYSTEMS := mariadb-10.11 mariadb-11.8 mariadb-11.8-forky postgresql-15 postgresql-17 postgresql-17.10-bookworm postgresql-17.10-trixie
.PHONY: images
images: venv ## build the guest images that are whole systems, for tests; as root, with mmdebstrap (JOBS=2 at a time)
	printf '%s\n' $(SYSTEMS) | xargs -P $(or $(JOBS),$(shell nproc)) -I{} \
		$(BIN)/instar image build {} --image-dir $(TEST_IMAGES) -f json -c name -c digest -c seconds

.PHONY: demo
demo: venv ## create an instance, upgrade it under load, print what happened (KEEP=1 leaves it running)
	KEEP=$(KEEP) $(BIN)/python demo/demo.py

.PHONY: demo-containers
demo-containers: venv ## MariaDB in containers, from Debian 12 to 13 and on, under load; as root (KEEP=1 leaves it running)
	scripts/install-podman
	KEEP=$(KEEP) $(BIN)/python demo/containers.py

.PHONY: bench
bench: venv ## run every measured comparison; each prints a table
	for script in bench/*.py; do $(BIN)/python "$$script"; done

.PHONY: docs
docs: venv ## build the documentation; a warning is an error
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

.PHONY: clean
clean: ## remove what was made here, the environment and the test images too
	rm -rf .venv build dist docs/_build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	rm -rf $(TEST_IMAGES)
