# Two commands for a newcomer: `make demo` and `make test`. Needs Python 3.11 or newer, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH ?= torch==2.13.0
TORCHDATA ?= torchdata==0.11.0

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-rest test-all lint format bench accuracy clean

help:  ## Show what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

setup: $(VENV)/installed  ## Create .venv and install the package and what it needs, by the lock

demo: setup  ## Take a real clip through the whole pipeline
	$(BIN)/kinesphere demo

# One thread of BLAS, as the commands set it: two that wait for each other burn a seventh more. And what pytest rewrites
# is kept, also where the environment forbids bytecode: it would be rewritten at every start of it.
test test-rest test-all: export OPENBLAS_NUM_THREADS = 1
test test-rest test-all: export PYTHONDONTWRITEBYTECODE =
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --max-worker-restart 0 --durations 15

test: $(VENV)/installed-test  ## Run the tests that a newcomer waits for: a part of each, all of it real
	$(PYTEST) --quick $(PYTEST_ARGS)

test-rest: $(VENV)/installed-test  ## Run the tests that `make test` leaves out
	$(PYTEST) --rest $(PYTEST_ARGS)

test-all: $(VENV)/installed-test  ## Run every test
	$(PYTEST) $(PYTEST_ARGS)

lint: $(VENV)/installed-test  ## Check style and types, of the JavaScript too
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/node $(VENV)/javascript/node_modules/typescript/bin/tsc -p studio/web/tsconfig.json

format: $(VENV)/installed-test  ## Rewrite the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/installed-test  ## Print the benchmarks
	$(BIN)/python -m benchmarks.spine

accuracy: $(VENV)/installed-test  ## Compare trajectories with the truth, on rendered people
	$(BIN)/python -m benchmarks.accuracy

clean:  ## Remove what was built
	rm -rf $(VENV) dist build kinesphere-demo .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/installed: pyproject.toml kinesphere/version.py requirements/application.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "kinesphere needs Python 3.11 or newer; try: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/application.txt
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	sh .ci/system-libraries $(BIN)/python
	@touch $@

# The CPU build of PyTorch serves only the tests of the torch adapter, beside torchdata, and rendered people.
$(VENV)/installed-test: $(VENV)/installed requirements/development.txt requirements/rendering.txt
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/development.txt
	$(BIN)/python -m pip install --quiet $(TORCH)
	$(BIN)/python -m pip install --quiet --no-deps $(TORCHDATA)
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements/rendering.txt
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm install --silent --no-audit --no-fund --prefix $(VENV)/javascript typescript@5.9.3
	sh .ci/test-programs
	@touch $@
