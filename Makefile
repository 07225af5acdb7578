# Every target sets up .venv by itself the first time; a second call installs nothing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO_STAMP := $(VENV)/.installed-train
DOCS_STAMP := $(VENV)/.installed-docs

# torch and Numba threads would spin against each other on small machines.
export OMP_WAIT_POLICY := PASSIVE
# Tests start Python hundreds of times; each start would compile the source anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint types alone docs docs-tools package clean

demo: $(DEMO_STAMP)
	$(BIN)/gradcascade demo --out demo

# The types are checked beside the tests with torch, which leave one core idle most of the time.
test: lint
	$(BIN)/pytest -m "not alone" -n 3 --dist loadfile
	$(MAKE) -j 2 --output-sync=target alone types

# One thread: with two, torch would wait for a core that is taken at every step.
alone: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/pytest -m alone

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/pyright

# The site, with warnings as errors; docs/check_site.py then looks for links that lead nowhere and outside addresses.
docs: $(DOCS_STAMP)
	rm -rf site
	$(BIN)/python -m sphinx -b html -W --keep-going -q docs site
	rm -rf site/.doctrees site/.buildinfo
	$(BIN)/python docs/check_site.py site

docs-tools: $(DOCS_STAMP)

# Wheel and sdist, compared and tried in an environment of their own; nothing is downloaded.
package: $(STAMP)
	$(BIN)/python .ci/package.py

$(DOCS_STAMP): $(STAMP)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $(DOCS_STAMP)

# The tests need much that the demo does not.
$(STAMP): EXTRAS := train,dev
$(DEMO_STAMP): EXTRAS := train

$(STAMP) $(DEMO_STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("gradcascade needs Python 3.11 or newer, found " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	touch $@ $(DEMO_STAMP)

clean:
	rm -rf $(VENV) demo site build dist .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
