# The whole project in a few words. Needs git, make and a Python that `make python` accepts.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
DEMO := data/tokenization-tutorial.md
ARGS ?=
# As many tests at a time as there are processors, four at most; ARGS="-n 0" runs one by one.
SPREAD := -n auto --maxprocesses 4 --dist worksteal
BOOK ?=
SIDE_BY_SIDE := docs/benchmarks/side-by-side

.PHONY: help python venv dev demo test test-all lint format bench bench-engine clean
.DEFAULT_GOAL := help

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

python: ## check that $(PYTHON) can be used
	@command -v $(PYTHON) >/dev/null || { echo "make: no '$(PYTHON)' here; install Python 3.11, 3.12 or 3.13, or name one: make PYTHON=/path/to/python3.12 venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || { echo "make: $$($(PYTHON) --version 2>&1) does not fit; narrate needs Python 3.11, 3.12 or 3.13; name one: make PYTHON=/path/to/python3.12 venv" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "make: $(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

venv: $(VENV)/.core ## make .venv with narrate and its command in it

dev: $(VENV)/.dev ## add the tools for tests and lint to .venv

# A stamp each, written last: an install that broke off is done again.
$(VENV)/.made:
	@$(MAKE) --no-print-directory python PYTHON="$(PYTHON)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.core: pyproject.toml constraints.txt | $(VENV)/.made
	@echo "Installing narrate into $(VENV) (a minute or two the first time) ..."
	@$(PIP) install --quiet -c constraints.txt -e .
	@touch $@

# The largest packages that only [qwen] asks for, beside all others, with which they share no file.
# torch exact, and before what asks for it: resolved among the rest it can become a newer build with
# gigabytes of CUDA packages. The tests run the published speech model, tiny, on the CPU.
LARGE := torch|transformers|llvmlite|numba|pandas|gradio|onnxruntime|scikit-learn
$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/.made
	@echo "Installing narrate and the tools for tests and lint into $(VENV) (two minutes the first time) ..."
	@large="$$(sed -nE 's/^(($(LARGE))==[^ ;]*).*/\1/p' constraints.txt)"; \
	$(PIP) install --quiet --no-deps --no-warn-conflicts $$large & \
	$(PIP) install --quiet -c constraints.txt -e '.[dev,bench]' --no-warn-conflicts && wait $$!
	@$(PIP) install --quiet -c constraints.txt -e '.[qwen]'
	@touch $(VENV)/.core $@

demo: venv ## narrate the sample tutorial with the preview voice
	@wav=$$($(BIN)/narrate $(DEMO)) && echo "The audiobook is $$wav"

test: dev ## run the default tests; ARGS="-k plan" picks
	@$(BIN)/python -m pytest $(SPREAD) $(ARGS)

test-all: dev ## run every test, the slow ones too
	@$(BIN)/python -m pytest -m "" $(SPREAD) $(ARGS)

lint: dev ## ruff, formatting, mypy, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: dev ## let ruff format and sort, and write the tables of docs/structure.md and README.md anew
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/python docs/structure.py
	@$(BIN)/python docs/performance.py

bench: dev ## time the commands from outside; BOOK=path for another document
	@$(BIN)/python -m benchmarks.commands $(BOOK)

bench-engine: ## time engine and published package side by side on the card; ARGS="--random-weights 0.6b"
	@$(PYTHON) -m narrate.bench generate --backends official:sdpa,qwen --batch 1,32,128 --groups batch,chapter --minutes 9 --out $(SIDE_BY_SIDE) $(ARGS)
	@cat $(SIDE_BY_SIDE)/report.md

clean: ## remove .venv and caches; outputs and the store stay
	rm -rf $(VENV) build dist .coverage htmlcov .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
