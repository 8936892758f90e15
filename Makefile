# Lastbrake. `make` alone lists what there is.
# Everything happens in .venv; what a target needs is installed the first time, and kept.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
RUN_STAMP := $(VENV)/.run-stamp
DEV_STAMP := $(VENV)/.dev-stamp
BENCH_STAMP := $(VENV)/.bench-stamp
BUILT_FROM := pyproject.toml $(wildcard setup.py rigs/bus.dbc csrc/*.[ch]) \
    $(wildcard firmware_stubs/*/*.[ch] firmware_stubs/*/*/*.[ch] hil/kernel/*build*.py hil/boards/*build*.py)

RIG ?= rigs/virtual.toml
CASE ?= nominal
JOBS ?= 2
BENCH ?= rungs plant_peers descent
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test emulated socketcan nightly scorecard check format cov kernel-cov mutation bench clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(RUN_STAMP) ## Build everything and fly one landing on virtual boards (RIG=, CASE=, ARGS=)
	$(VENV)/bin/hil run $(RIG) --case $(CASE) $(ARGS)

test: $(DEV_STAMP) ## Run the tests (ARGS= goes to pytest)
	$(PY) -m pytest -n $(JOBS) --dist loadgroup --hypothesis-profile ci -m "not nightly and not socketcan" $(ARGS)

emulated: $(DEV_STAMP) ## Fly a landing on Cortex-M7 boards in QEMU, and run their tests (CASE=, ARGS=)
	@$(PY) tools/machine.py --emulated || { [ $$? -eq 3 ]; exit; }; \
	$(VENV)/bin/hil run rigs/emulated.toml --case $(CASE) && \
	$(PY) -m pytest -n $(JOBS) --dist loadgroup -m "emulated and not nightly" $(ARGS)

socketcan: $(DEV_STAMP) ## Run the tests on a real vcan: of this kernel, else of User-Mode Linux (ARGS=)
	$(PY) tools/socketcan.py $(PY) -m pytest -m "socketcan and not nightly" tests/seams tests/socketcan tests/faults $(ARGS)

nightly: $(DEV_STAMP) ## Run all tests, those that take long included; those on a vcan are `make socketcan`'s
	$(PY) -m pytest -n $(JOBS) --dist loadgroup --hypothesis-profile nightly -m "not socketcan" $(ARGS)

scorecard: $(DEV_STAMP) ## Fly 2,000 drawn off-nominal cases and write docs/SCORECARD.md; fails where a target is missed (ARGS=)
	@mkdir -p runs; $(VENV)/bin/hil scorecard --jobs $(JOBS) --json $(ARGS) > runs/scorecard.json; status=$$?; \
	if [ $$status -le 1 ]; then $(PY) tools/scorecard_doc.py runs/scorecard.json || exit; fi; exit $$status

check: $(DEV_STAMP) ## Lint, types, walls, C rules, format and function sizes (ARGS= names single checks)
	$(PY) tools/check.py $(ARGS)

format: $(DEV_STAMP) ## Format Python and C in place
	$(PY) tools/check.py --fix

cov: $(DEV_STAMP) ## Run the tests with coverage; the pages lie in htmlcov/
	$(PY) -m pytest -n $(JOBS) --dist loadgroup -m "not nightly and not socketcan" --cov --cov-report=term --cov-report=html $(ARGS)

kernel-cov: $(DEV_STAMP) ## Line and branch coverage of the kernel's C by tests that see only its headers
	$(PY) tools/kernel_coverage.py $(ARGS)

mutation: $(DEV_STAMP) ## Mutation score of the kernel's C; all mutants take hours (ARGS='--sample 500' draws some)
	$(PY) tools/mutation.py --least 90 $(ARGS)

bench: $(BENCH_STAMP) ## Measure rungs, plant and optimiser beside their peers (BENCH= names scripts)
	@set -e; for name in $(BENCH); do echo "== $$name"; $(PY) benchmarks/$$name.py $(ARGS); done

clean: ## Remove the environment, build products, caches and runs
	rm -rf $(VENV) build dist *.egg-info htmlcov runs .coverage .coverage.* .hypothesis .import_linter_cache
	rm -rf .mypy_cache .pytest_cache .ruff_cache benchmarks/results
	find hil csrc firmware_stubs tests tools benchmarks -name __pycache__ -prune -exec rm -rf {} +
	find hil -name '*.so' -delete

$(PY):
	@$(PYTHON) tools/machine.py
	$(PYTHON) -m venv $(VENV)

$(RUN_STAMP): $(PY) $(BUILT_FROM)
	$(PY) -m pip install --quiet --editable .
	@touch $@

$(DEV_STAMP): $(RUN_STAMP)
	$(PY) -m pip install --quiet --editable '.[dev]'
	@touch $@

$(BENCH_STAMP): $(RUN_STAMP) benchmarks/install_extra.py
	$(PY) benchmarks/install_extra.py
	@touch $@
