# The two commands of the README, and the pieces that they are made of.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
INSTALL = -m pip install --config-settings editable_mode=compat
SYNC = $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
STAMPS = $(addprefix $(VENV)/.,lint types test docs)
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: demo test beside lint types scikit-learn unit campaign docs links test-minimum clean

# Nothing else runs in parallel: the installations of two extras would be in each other's way.
ifndef BESIDE
.NOTPARALLEL:
endif

demo: $(VENV)/.plot
	$(BIN)/python examples/quickstart.py

test: $(STAMPS) lint beside unit
	@$(BIN)/python tests/count_passed.py $(VENV)/scikit_learn.xml $(VENV)/tests.xml

# Parts that take one core each: two at a time, the longest first, and all of them although one fails. What a part prints
# comes when it has ended; before make 4.0, which knows no --output-sync, the lines of two parts come mixed.
beside: $(STAMPS)
	$(MAKE) BESIDE=1 -j2 -k --no-print-directory $(SYNC) docs scikit-learn types campaign || \
		{ echo "At least one part has failed: see the lines with *** above."; exit 1; }

lint: $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.types
	$(BIN)/python -m mypy

# scikit-learn's own tests of its multi-layer perceptrons, on those of this package.
scikit-learn: $(VENV)/.test
	OMP_NUM_THREADS=1 PYTHONPATH=tests $(BIN)/python -m pytest -p scikit_learn_suite --junitxml=$(VENV)/scikit_learn.xml --pyargs sklearn.neural_network.tests.test_mlp

unit: $(VENV)/.test
	# A process for each core, each of one thread: two processes of two threads each would be slower than one.
	SCIPY_ARRAY_API=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal --junitxml=$(VENV)/tests.xml

# Thousands of odd uses, drawn from a seed, each of which must end in a result or in an error that helps.
campaign: $(VENV)/.test
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/campaign.py --minutes 2

docs: $(VENV)/.docs
	OMP_NUM_THREADS=1 $(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

# Follows the links that leave the documentation, which needs a network.
links: $(VENV)/.docs
	$(BIN)/python -m sphinx -b linkcheck docs docs/_build/links

# The oldest versions that pyproject.toml promises, in an environment of their own.
test-minimum:
	$(PYTHON) -m venv $(VENV)-minimum
	$(VENV)-minimum/bin/python $(INSTALL) --constraint constraints-minimum.txt --editable ".[test]"
	$(VENV)-minimum/bin/python -m pytest

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# .venv/.docs: the environment has what the extra `docs` of pyproject.toml asks for.
$(VENV)/.%: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python $(INSTALL) --constraint constraints.txt --editable ".[$*]"
	touch $@

clean:
	rm -rf $(VENV) $(VENV)-minimum build docs/_build docs/generated docs/gallery *.egg-info .pytest_cache .ruff_cache .mypy_cache
