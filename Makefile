# One command per thing, the same here and in CI. Everything installs into .venv/ by itself.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: run test lint format bench bandwidth links kernel-links memory compressors gradients rounds theory heavy torch clean help

help:  ## say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "netcomp needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,deploy]'
	touch $@

run: $(STAMP)  ## the main job: five methods over a 1/10 Mbit/s link, ranked
	$(BIN)/netcomp compare benchmarks/asymmetric.toml

test: $(STAMP)  ## all tests, on all cores
	$(BIN)/python -m pytest -n auto --dist worksteal

lint: $(STAMP)  ## style, types, and that imports run downward
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)  ## rewrite the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: bandwidth links memory compressors gradients rounds theory  ## all benchmarks

bandwidth: $(STAMP)  ## who wins where: a grid of uplink and downlink rates
	$(BIN)/python -m benchmarks.bandwidth

links: $(STAMP)  ## how exact the emulated links are on this machine
	$(BIN)/python -m benchmarks.links

kernel-links: $(STAMP)  ## emulated links beside the kernel's own (root, iproute2)
	$(BIN)/python -m benchmarks.links.kernel

memory: $(STAMP)  ## memory and open files of servers and of processes of many workers
	$(BIN)/python -m benchmarks.memory

compressors: $(STAMP)  ## every compressor's bytes and speed beside limits and other libraries
	$(BIN)/python -m benchmarks.compressors

gradients: $(STAMP)  ## a sparse gradient beside its two matrix products
	$(BIN)/python -m benchmarks.gradients

rounds: $(STAMP)  ## rounds a second beside bare sockets and other libraries
	$(BIN)/python -m benchmarks.rounds

theory: $(STAMP)  ## the papers' theorems against runs, and MCM Fig. 1
	$(BIN)/python -m benchmarks.theory

heavy: $(STAMP)  ## tests that are too large, or too many, for every day
	NETCOMP_HEAVY=1 $(BIN)/python -m pytest tests/e2e/test_memory.py tests/test_project.py \
		tests/compressors tests/coding tests/textbook

torch:  ## the tests of PyTorch modules, with the extra in a venv of its own
	$(PYTHON) -m venv $(VENV)-torch
	$(VENV)-torch/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,deploy,torch]'
	$(VENV)-torch/bin/python -m pytest tests/problems/test_torch*.py

clean:  ## remove what the commands above made
	rm -rf $(VENV) $(VENV)-torch benchmarks/.peers runs dist .pytest_cache .mypy_cache .ruff_cache \
		.import_linter_cache .hypothesis
