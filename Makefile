# Each target prints what it does; the environment in .venv is made once and again only when
# pyproject.toml or constraints.txt change. Without make: see the README.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
export GOMP_SPINCOUNT ?= 1000

.PHONY: demo test test-all check house clean help

help:
	@echo "make demo      paint in a local chat page: no token, no GPU"
	@echo "make test      the suite; make test-all: the long forms too"
	@echo "make check     style, types, import floors, fast tests"
	@echo "make house     train the house model again (hours)"

$(BIN)/python:
	@echo "Making the environment in $(VENV) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Limner needs Python 3.11 or newer: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.has-%: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Limner with its extra: $* (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[$*]"
	@touch $@

demo: $(VENV)/.has-demo
	@echo "Starting the demo; Ctrl-C stops it."
	@$(BIN)/python -m limner.bot demo

test: $(VENV)/.has-demo $(VENV)/.has-test $(VENV)/.has-train
	@echo "Running the tests ..."
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not long"

test-all: $(VENV)/.has-demo $(VENV)/.has-test $(VENV)/.has-train
	@echo "Running the tests, the long ones too ..."
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: $(VENV)/.has-demo $(VENV)/.has-test
	@echo "Style ..."
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@echo "Types ..."
	@$(BIN)/basedpyright
	@echo "Import floors and fast tests ..."
	@$(BIN)/python -m pytest tests/test_rooms.py tests/bot/test_settings.py tests/bot/test_prompts.py tests/bot/test_pricing.py tests/bot/test_masks.py tests/pipelines/serving/test_admission.py -m "not long"

house: $(VENV)/.has-train
	@echo "Training the house model; it resumes where it stopped ..."
	@$(BIN)/python -m training

clean:
	@rm -rf $(VENV) build dist *.egg-info
