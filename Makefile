# Start with `make demo` or `make test`. Each creates the virtual environment .venv that it needs.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python3.10; do \
	"$$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null \
	&& { echo "$$p"; break; }; done)
# The tests start scimconf hundreds of times. Without bytecode files, each start would compile it again.
unexport PYTHONDONTWRITEBYTECODE
WORKERS ?= 3
STAMP := .venv/.stamp
BIN := .venv/bin
# The last mypy that supports Python 3.8, for the agent, which runs on the servers. bootstrap.py is left
# out: it must also parse on Python 2.7 (to say "too old"), so it has no annotations.
MYPY38 := .cache/mypy-3.8/.stamp
ATHERIS := .cache/atheris/.stamp
# ansible-core in its own environment. tests/oracle compares how it and scimconf read inventories.
# PyYAML 6.0.4 orders the keys of `<<` differently. The order has no meaning, but the tests compare it.
ANSIBLE := .cache/ansible/.stamp
PEERS := .cache/bench/.stamp
# The browser driver and axe-core, for the tests of the HTML pages (tests/browser).
BROWSER := .venv/.browser
# The lowest versions of the dependencies that pyproject.toml allows. pip has no option for this.
LOWEST := .cache/lowest/.stamp
# Seconds for one test of `make matrix` and `make faults`. pyproject.toml has the limit of the others.
LONG := 3600
FUZZ ?= 100000
FUZZ_SECONDS ?= 600
AGENT = $(filter-out %/bootstrap.py,$(wildcard scimconf/agent/*.py))

.PHONY: help test coverage lint lowest matrix faults fuzz fuzz-guided bench demo lab rotations sshd shells chromium docs clean

help: ## show this list
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 10

test: $(STAMP) $(ANSIBLE) sshd shells lint ## run lint, the type checker and the whole test suite
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(PYTEST_ARGS)

coverage: $(STAMP) $(ANSIBLE) sshd shells ## run the test suite and measure line coverage (takes 50% longer)
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --cov --cov-report=term:skip-covered $(PYTEST_ARGS)

lint: $(STAMP) $(MYPY38) ## run ruff and mypy (strict; the agent also for Python 3.8)
	@$(BIN)/python -m ruff check
	@$(BIN)/python -m ruff format --check
	@$(BIN)/python -m mypy
	@PYTHONPATH=.cache/mypy-3.8 $(BIN)/python -m mypy --config-file= --cache-dir=.cache/mypy-3.8/cache \
		--strict --python-version 3.8 $(AGENT)

lowest: $(LOWEST) $(ANSIBLE) sshd shells ## run the test suite with the lowest versions of all dependencies
	@.cache/lowest/bin/python -m pytest -n $(WORKERS) --dist worksteal $(PYTEST_ARGS)

matrix: $(STAMP) $(ANSIBLE) sshd ## run every case where make test runs a sample (550 inventories, ...)
	@SCIMCONF_MATRIX=all $(BIN)/python -m pytest -n $$(nproc) tests/oracle tests/ssh tests/cli/test_rollout.py \
		--timeout $(LONG) $(PYTEST_ARGS)
	@SCIMCONF_MATRIX=all $(BIN)/python -m pytest -n $$(nproc) -m matrix --ignore tests/ssh \
		--timeout $(LONG) $(PYTEST_ARGS)

faults: $(STAMP) sshd ## run every fault at every step of a change; print the tables
	@mkdir -p .cache && rm -f .cache/faults
	@SCIMCONF_FAULTS=all SCIMCONF_FAULTS_RESULTS=$(CURDIR)/.cache/faults \
		$(BIN)/python -m pytest -n $$(nproc) tests/faults --timeout $(LONG) $(PYTEST_ARGS)
	@$(BIN)/python -m tests.faults.table .cache/faults

fuzz: $(STAMP) ## run both file editors on 100,000 generated files each (fuzz-guided: with atheris)
	@$(BIN)/python -m tests.fuzz --settings $(FUZZ) --secrets $(FUZZ) --jobs $$(nproc)

fuzz-guided: $(ATHERIS)
	@.cache/atheris/bin/python -m tests.fuzz.guided .cache/atheris/corpus -artifact_prefix=.cache/atheris/ \
		-timeout=60 -max_len=4096 -max_total_time=$(FUZZ_SECONDS)

bench: $(PEERS) sshd ## compare speed with Ansible, mitogen, pyinfra; write docs/performance.md
	@$(BIN)/python -m bench --write $(BENCH_ARGS)

demo: $(STAMP) sshd ## configure SCIM on three small Zulip servers, check it, clean up
	@$(BIN)/python -m tests.lab.demo

rotations: $(STAMP) sshd ## rotate 50 times while an identity provider works, and count refused requests
	@$(BIN)/python -m tests.lab.rotations

lab: $(STAMP) sshd ## start three small Zulip servers to try scimconf on; Ctrl-C stops them
	@$(BIN)/python -m tests.lab

sshd: $(STAMP)
	@$(BIN)/python -m tests.lab.openssh

shells: $(STAMP)
	@$(BIN)/python -m tests.shells

chromium: $(BROWSER) ## install what tests/browser needs: Chromium, playwright, axe-core (600 MB)
	@$(BIN)/python -m tests.browser.chromium

docs: $(STAMP) ## write the generated files of docs/
	@$(BIN)/python -m scimconf.inventory.reference > docs/inventory.md
	@$(BIN)/python -m scimconf inventory schema > docs/schema/inventory.json
	@$(BIN)/python -m scimconf.ssh.reference docs/ssh.md
	@$(BIN)/python -m scimconf.cli.reference > docs/options.md

$(STAMP): pyproject.toml
	@test -n "$(PYTHON)" || { echo "scimconf needs Python 3.10 or later with venv. On Debian: apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { echo "creating .venv with $(PYTHON)"; \
		rm -rf .venv && "$(PYTHON)" -m venv .venv; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,clients]' 2> .venv/pip.log \
		|| { cat .venv/pip.log; exit 1; }
	@touch $@

$(ATHERIS): $(STAMP)
	@$(BIN)/python -m venv .cache/atheris
	@.cache/atheris/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: \
		atheris 2> .venv/pip.log || { cat .venv/pip.log; exit 1; }
	@touch $@

$(ANSIBLE): $(STAMP)
	@$(BIN)/python -m venv .cache/ansible
	@.cache/ansible/bin/python -m pip install --quiet --disable-pip-version-check \
		"ansible-core==2.19.*; python_version >= '3.11'" PyYAML==6.0.3 2> .venv/pip.log || { cat .venv/pip.log; exit 1; }
	@touch $@

$(PEERS): $(STAMP) bench/requirements.txt
	@$(BIN)/python -m venv .cache/bench/venv
	@.cache/bench/venv/bin/python -m pip install --quiet --disable-pip-version-check \
		-r bench/requirements.txt 2> .venv/pip.log || { cat .venv/pip.log; exit 1; }
	@touch $@

$(BROWSER): $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[browser]' 2> .venv/pip.log \
		|| { cat .venv/pip.log; exit 1; }
	@touch $@

$(LOWEST): $(STAMP)
	@$(BIN)/python -m venv .cache/lowest
	@$(BIN)/python -m tests.lowest > .cache/lowest/constraints.txt
	@.cache/lowest/bin/python -m pip install --quiet --disable-pip-version-check -e '.[dev]' \
		-c .cache/lowest/constraints.txt 2> .venv/pip.log || { cat .venv/pip.log; exit 1; }
	@touch $@

$(MYPY38): $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade \
		--target .cache/mypy-3.8 mypy==1.14.1 2> .venv/pip.log || { cat .venv/pip.log; exit 1; }
	@touch $@

clean: ## delete what the commands above created
	@rm -rf .venv .cache dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage*
