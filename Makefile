# Needs only Python >= 3.11 and make. Everything it installs lives in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: demo run test lint format bench screenshots clean
.DEFAULT_GOAL := demo

$(VENV)/.ready: pyproject.toml constraints.txt
	@echo "Setting up $(VENV) (once; about a minute) ..."
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@{ $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[dev]'; echo $$? > $(VENV)/.status; } \
		| sed -u -n 's/^Collecting \([^ ]*\).*/  \1/p; s/^Installing collected.*/  installing .../p; /^ERROR/p'; \
		exit $$(cat $(VENV)/.status)
	@touch $@
	@echo "Set up."

demo: $(VENV)/.ready
	@$(BIN)/gateway demo $(ARGS)

run: $(VENV)/.ready
	@$(BIN)/gateway run $(ARGS)

test: $(VENV)/.ready
	@$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

lint: $(VENV)/.ready
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(VENV)/.ready
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.ready
	@$(BIN)/gateway bench $(ARGS)

screenshots: $(VENV)/.ready
	@$(BIN)/python -m tests.screenshots $(ARGS)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
