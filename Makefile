# What people type; `make` alone lists it. Every target installs what it needs, once, into .venv (see deploy/setup/).
# Settings: CHECK=1 ends the demo with a verdict, AUDIO=FILE gives it a recording, ARGS='-k name' goes to pytest,
# UPGRADE=1 lets `make lock` take newer versions, PYTHON=python3.12 chooses what makes .venv; SEEDS, KILLS, BOUNDARIES,
# CAMPAIGNS: below, at FAULTS.

SHELL := /bin/sh
PYTHON ?= python3
export PYTHON
# Tests start programs by the hundred: what one has compiled the next one reads, whatever the shell's habit.
unexport PYTHONDONTWRITEBYTECODE
BIN := .venv/bin
SETUP := deploy/setup
# tests/faults, and what stands beside what it tries (tests/faults/table.py names it); sound that is judged at the sinks
# after a fault belongs to `make listen`.
FAULTS := tests/faults tests/edge_agent/test_process.py tests/edge_agent/test_store.py tests/edge_agent/test_fetcher.py \
	tests/edge_agent/test_read_only_card.py \
	tests/edge_agent/test_evidence.py tests/edge_agent/test_hearing.py tests/edge_agent/test_renderer.py \
	tests/edge_agent/test_renewal.py tests/edge_agent/checks tests/edge_agent/outputs/test_gaps.py \
	tests/controller/wire/test_processes.py tests/controller/wire/test_two_ends.py tests/controller/wire/test_clones.py \
	tests/controller/wire/test_revocation.py tests/controller/wire/test_rotation.py \
	tests/controller/test_emergencies.py tests/controller/test_reserve.py tests/controller/test_restoring.py \
	tests/e2e/test_agent_contract.py \
	tests/edge_agent/test_failpoints.py tests/power
# Where tests are that judge sound in real time: what is not named here is not even read for them.
LISTENING := tests/e2e tests/edge_agent/test_hears_itself.py tests/edge_agent/test_card.py \
	tests/edge_agent/inputs/test_input_drivers.py
# Random histories, kills of the broker, and every how manieth write of a node is its last.
SEEDS := 1000
KILLS := 100
BOUNDARIES := 1
# Each cuts the power of one node 14 times.
CAMPAIGNS := 4
# Minutes that a commune of real processes lives with no rest.
SOAK := 3
# Requests that are made up of each operation, for each person and kind; another seed makes others.
EXAMPLES := 20
SEED := 0

.DEFAULT_GOAL := help
# The set-up steps share .venv and dpkg's lock; pytest and apt would only be in each other's way.
.NOTPARALLEL:
.PHONY: help setup demo test listen lint format bench faults soak hostile box package bundle console screenshots lock debian-demo debian-test debian-box \
	debian-power power venv-demo venv-dev as-root

help: ## list what can be typed
	@sed -n 's/^\([a-z]*\):.* ## /\1\t/p' Makefile | expand -t 14

setup: debian-test venv-dev ## install everything that developing needs

demo: debian-demo venv-demo ## a small commune: broker, controller and three nodes on this machine
	@$(BIN)/loa demo $(if $(filter-out 0,$(CHECK)),--check --json) $(if $(AUDIO),--audio '$(AUDIO)')

# Four processes, as half of the time is waiting, file by file in the order of tests/conftest.py; then, with
# nobody beside them, the communes that are judged by their sound. With ARGS a part of them, as it is told.
test: setup ## all tests but the box
ifeq ($(strip $(ARGS)),)
	@$(BIN)/pytest --ignore=tests/box -m 'not listening' -n 4 --dist loadfile --no-loadscope-reorder
	@$(BIN)/pytest -m listening -n 3 --dist loadfile $(LISTENING)
else
	@$(BIN)/pytest $(ARGS)
endif

listen: setup ## of these, the first broadcast judged at the sinks
	@$(BIN)/pytest -m listening $(or $(ARGS),$(LISTENING))

lint: venv-dev ## ruff and mypy, changing nothing
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: venv-dev ## lay out the code and mend what ruff can mend
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

bench: setup ## measure, and write docs/benchmarks.md
	@$(BIN)/python -m tests.bench

# Results add up in tests/faults/results.json: with ARGS a part runs, and the rest stands as it last was.
faults: setup ## kill every part, cut it off, spoil its files; writes docs/faults.md (an hour)
	@LOA_FAULTS_LONG=1 LOA_FAULTS_SEEDS=$(SEEDS) LOA_FAULTS_KILLS=$(KILLS) LOA_FAULTS_BOUNDARIES=$(BOUNDARIES) \
		$(BIN)/pytest -p tests.faults.record --faults-table -n 2 --dist loadscope $(FAULTS) $(ARGS)
	@LOA_FAULTS_LONG=1 LOA_FAULTS_SEEDS=$(SEEDS) LOA_FAULTS_KILLS=$(KILLS) LOA_FAULTS_BOUNDARIES=$(BOUNDARIES) \
		$(BIN)/pytest -p tests.faults.record --faults-table --collect-only -q $(FAULTS) >/dev/null

soak: setup ## let a commune live for SOAK minutes among faults and updates, then see what it broke and what it takes
	@LOA_FAULTS_LONG=1 LOA_SOAK_MINUTES=$(SOAK) $(BIN)/pytest -p tests.faults.record --faults-table tests/soak $(ARGS)

hostile: setup ## attack every route and every page, long and in Chromium; EXAMPLES, SEED (half an hour)
	@LOA_FAULTS_LONG=1 LOA_HOSTILE_EXAMPLES=$(EXAMPLES) LOA_HOSTILE_SEED=$(SEED) $(BIN)/pytest -n 2 tests/hostile $(ARGS)

box: as-root setup debian-box ## a whole node without a device, built, booted, broken and updated (as root, half an hour)
	@[ -e dist/box-centre.tar ] || echo "make: the first time it makes its Debian, two of them: some minutes without a word" >&2
	@$(BIN)/pytest -rs -p tests.faults.record --faults-table tests/box $(ARGS)

power: as-root setup debian-power ## cut the power of a whole machine again and again, in qemu; CAMPAIGNS (as root, five minutes each)
	@[ -e dist/box-power.tar ] || echo "make: the first time it makes its Debian: some minutes without a word" >&2
	@LOA_FAULTS_LONG=1 LOA_POWER_CAMPAIGNS=$(CAMPAIGNS) \
		$(BIN)/pytest -rs -p tests.faults.record --faults-table tests/power $(ARGS)

package: venv-dev ## the agent as a Debian package, for this processor and for the Pi, into dist/
	@deploy/debian/build amd64
	@deploy/debian/build arm64

bundle: venv-dev ## an update of the agent, for this processor's nodes and for the Pi, into dist/; `loa updates sign` comes next
	@deploy/debian/bundle amd64
	@deploy/debian/bundle arm64

# What is marked `long` under tests/web, and the journeys.
console: setup ## the console's journeys with real agents, restarts, a slow link, and every page in every look (15 minutes)
	@LOA_FAULTS_LONG=1 $(BIN)/pytest tests/e2e/journeys $(ARGS); found=$$?; \
		$(BIN)/python -m tests.e2e.journeys.figures; exit $$found
	@LOA_FAULTS_LONG=1 $(BIN)/pytest -m long tests/web $(ARGS)

screenshots: setup ## take the pages' pictures anew
	@$(BIN)/python -m tests.screenshots

lock: venv-dev ## write requirements/*.txt from pyproject.toml
	@$(BIN)/python $(SETUP)/lock.py $(if $(UPGRADE),--upgrade)

# Asked before anything is installed. The tests alone would be skipped, which looks like a success.
as-root:
	@[ "$$(id -u)" = 0 ] || { echo "make: what boots whole systems has to be root; type: make setup && sudo make $(MAKECMDGOALS)" >&2; exit 1; }

debian-demo:
	@$(SETUP)/debian $(SETUP)/debian-demo.txt

debian-test:
	@$(SETUP)/debian $(SETUP)/debian-demo.txt $(SETUP)/debian-test.txt

debian-box: debian-test
	@$(SETUP)/debian $(SETUP)/debian-box.txt

debian-power: debian-test
	@$(SETUP)/debian $(SETUP)/debian-power.txt

venv-demo:
	@$(SETUP)/venv controller

venv-dev:
	@$(SETUP)/venv dev
