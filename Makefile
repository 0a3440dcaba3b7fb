# Two commands are enough on a fresh machine, in either order: `make demo` and `make test`.
# Each makes the virtual environment .venv when there is none, or when pyproject.toml or constraints.txt changed.
# Another Python:  make demo PY=python3.12

PY ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp-$(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt

DEMO := runs/emblems-demo
# The benchmarks of `make bench`: those that need nothing from outside. Others are run by hand, as their docstrings say.
BENCHMARKS ?= attention.py bench_attention_memory.py bench_penalty_memory.py "step.py sagan-32" "pieces.py sagan-32" \
	"sampling.py"

.DEFAULT_GOAL := help
.PHONY: help demo test test-nightly check format lint types architecture generated docs bench pictures clean

help:  ## list these targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | while IFS="$$(printf '\t')" read -r name text; do \
		printf '  make %-14s %s\n' "$$name" "$$text"; done

demo: $(STAMP)  ## train on the built-in pictures, draw samples and the attention figure: minutes on two cores
	$(BIN)/sagan train --preset demo --out $(DEMO)
	$(BIN)/sagan attend $(DEMO) -o $(DEMO)/attention.png
	$(BIN)/sagan sample $(DEMO) -n 64 --classes all -o $(DEMO)/grid.png
	@printf '\nThe demo left these files; open the report in a browser:\n'
	@printf '  %s\n' $(DEMO)/report.html $(DEMO)/grid.png $(DEMO)/attention.png $(DEMO)/curves.png

# Two tests at a time, a thread each; then those that look at how soon processes answer, with the machine to themselves.
# `check` ran those of the architecture.
test: check  ## everything CI runs: check, then all tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not nightly and not alone" \
		--ignore tests/architecture
	$(BIN)/python -m pytest -q -m "alone and not nightly"

test-nightly: $(STAMP)  ## the tests that take minutes
	$(BIN)/python -m pytest -q -m nightly

check: format lint types architecture generated docs  ## format, lint, types, architecture, generated pages, docs

format: $(STAMP)
	$(BIN)/ruff format --check .

lint: $(STAMP)
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

architecture: $(STAMP)
	$(BIN)/python -m pytest -q tests/architecture

generated: $(STAMP)
	$(BIN)/python scripts/reference.py --check
	$(BIN)/python scripts/results.py --check

docs: $(STAMP)  ## build the documentation into site/, warnings are errors
	$(BIN)/zensical build --clean --strict

bench: $(STAMP)  ## run the benchmarks, compare with the stored figures of the same hardware, renew docs/results.md
	@for words in $(BENCHMARKS); do echo "$$words"; $(BIN)/python benchmarks/$$words || exit 1; done
	$(BIN)/python scripts/results.py

pictures:  ## renew the pictures of the README and of docs/explore.md from the demo's run; needs Chromium
	cp $(DEMO)/grid.png docs/images/demo-grid.png
	cp $(DEMO)/attention.png docs/images/demo-attention.png
	$(BIN)/python scripts/screenshots.py $(DEMO) --at "#seed=5&at=9,12;24,20;16,4;20,9"
	$(BIN)/python scripts/screenshots.py $(DEMO) --at "#seed=5" --film "9,12 24,20 16,4 20,9"

clean:  ## remove the environment, caches and the built docs; runs/ stays
	rm -rf $(VENV) site dist .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests scripts benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# torch goes first, in a call of its own, so that pip never weighs another build of it.
$(STAMP):
	test -x $(BIN)/python || $(PY) -m venv $(VENV)
	$(PIP) torch
	$(PIP) -e '.[dev]'
	rm -f $(VENV)/.stamp-*
	touch $@
