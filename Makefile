# `make demo` opens the app, `make test` runs what CI runs. Both work on a fresh clone with Python 3.10-3.12, pip and make.
PYTHON ?= $(shell for p in python3.12 python3.11 python3.10 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin

.PHONY: demo test test-fast docs lint bench clean

demo: .venv/app .venv/kernels
	SHARE=$(SHARE) $(BIN)/python app.py

test: .venv/dev  # types, documentation and tests, two at a time; PARTS="page camera" for some of it
	sh tests/chromium.sh
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m tests.parts $(PARTS)

test-fast: .venv/dev  # what changed since SINCE (HEAD): style, and the tests that import it
	$(BIN)/ruff check .
	$(BIN)/python -m pytest $$($(BIN)/python -m tests.changed $(or $(SINCE),HEAD))

docs: .venv/dev
	$(BIN)/python -m docs.draw
	$(BIN)/python -m mkdocs build --strict

lint: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/pyright

bench: .venv/app
	$(BIN)/python -m bench

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Reshoot needs Python 3.10, 3.11 or 3.12: install one and run make again."; exit 1; }
	$(PYTHON) -m venv .venv

# The stamps make a second run quick: pip is asked again only when a requirements file has changed.
.venv/app: requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check -q -r requirements.txt
	touch $@

# Renderers are compiled once, so that nobody waits for them later; again only when the source of one has changed.
.venv/kernels: .venv/app $(shell grep -rl --include=*.py "^@kernel" camera pipelines)
	$(BIN)/python -m pipelines.cli.warm_up
	touch $@

.venv/dev: requirements-dev.txt requirements-extras.txt .venv/app
	$(BIN)/python -m pip install --disable-pip-version-check -q -r requirements-dev.txt
	touch $@

clean:
	rm -rf .venv outputs build .gradio
