# `make demo` and `make test` set everything up by themselves; nothing is fetched but packages.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
READY := $(VENV)/.ready
RUN ?= .
EXPERIMENT ?= 1
SECONDS ?= 3600
SEED ?= 1

# The tests start some hundred processes: each would compile all that it imports anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test quick test-all lint chaos bench pictures clean

demo: $(READY) ## The dashboard on the repository's own program.md (headless where there is no terminal)
	$(BIN)/autoresearch-tui .

test: $(READY) ## The linters, and all tests but the slow ones, under 10 minutes on 2 cores
	$(MAKE) --no-print-directory -j 2 lint quick

quick: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile # three: a third of the time they wait for other processes

test-all: $(READY) lint ## All tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "slow or not slow" --timeout 1800 -n 2 --dist loadfile

chaos: $(READY) ## Runs under random faults for SECONDS; a schedule again by its SEED, or a part of it by ONLY=0,3
	cd tests && PYTHONPATH=.. $(abspath $(BIN))/python -m chaos --seconds $(SECONDS) --seed $(SEED) $(if $(ONLY),--only $(ONLY))

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

bench: $(READY) ## All benchmarks, one after the other; bench/README.md has the last figures
	for file in bench/*.py; do echo "== $$file"; $(BIN)/python -m bench.$$(basename $$file .py) || exit 1; done

pictures: $(READY) ## The pictures in docs/, of the run in RUN (default: the demo's) and its experiment EXPERIMENT
	$(BIN)/autoresearch-tui screenshot $(RUN) -o docs/dashboard.svg
	$(BIN)/autoresearch-tui screenshot $(RUN) --screen detail:$(EXPERIMENT) -o docs/detail.svg

clean:
	rm -rf $(VENV) run build dist *.egg-info

# Not compiled while installed: that is half of the time, and most of it is never imported.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt --editable '.[dev]'
	touch $(READY)
