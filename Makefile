# make demo   phonons of three crystals with the embedded potential, into out/
# make test   all tests but the slow ones and the notebooks
# make docs   the documentation as a site, into site/
# Each makes .venv first, from nothing but Python >= 3.11 and a package index.
# On a machine with a GPU: make demo TORCH="torch==2.13.0 --index-url https://download.pytorch.org/whl/cu130"

PYTHON ?= python3
TORCH ?= torch==2.13.0
BIN := .venv/bin
# Tests run in as many processes, of one thread each (tests/conftest.py): two do more than one
# with two threads.
JOBS ?= $(shell nproc)
# What `.ci/run` adds for pytest.
PYTEST ?=
DEMO := examples/NaCl.cif examples/Si.cif examples/quartz.cif

.PHONY: install demo test notebooks test-slow lint docs clean

install: .venv/installed

# torch alone and first: asked for by another package it would bring the newest CUDA build.
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q $(TORCH)
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[test]'
	touch $@

demo: install
	$(BIN)/mlphonon phonons $(DEMO) -o out
	$(BIN)/python examples/overview.py out

test: install
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not slow" --ignore=tests/test_notebooks.py $(PYTEST)

notebooks: install
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal tests/test_notebooks.py

test-slow: install
	$(BIN)/python -m pytest -m slow

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# The site of docs/, into site/; a broken link fails it.
docs: .venv/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

.venv/docs: .venv/installed
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[docs]'
	touch $@

clean:
	rm -rf .venv .families out site
