# Two commands do all the set-up: `make demo` and `make test`. Python 3.11 or newer is all they need.

VENV ?= .venv
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
BIN := $(VENV)/bin
PACKAGES := preflight uploader client onetake

.PHONY: demo studio test slow lint schema docs bench wine matrix soak clean

demo: $(VENV)/installed
	$(BIN)/onetake check fixtures/good.m4a
	$(BIN)/onetake clone fixtures/good.m4a --text "Hello." --model speech-2.8-hd --demo $(VENV)/demo.mp3 --force --sandbox

studio: $(VENV)/installed
	$(BIN)/onetake studio --sandbox

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -q -n 3 --dist worksteal -m "not slow"

slow: $(VENV)/installed-dev
	$(BIN)/python -m pytest -q -n 3 --dist worksteal -m slow

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	for platform in win32 darwin; do \
		$(BIN)/mypy --platform $$platform --cache-dir .mypy_cache/$$platform $(PACKAGES) || exit 1; done
	for platform in Linux Windows Darwin; do \
		$(BIN)/basedpyright --pythonpath $(BIN)/python --pythonplatform $$platform --level error || exit 1; done

schema: $(VENV)/installed
	$(BIN)/python -c "import sys; from onetake.render.json_schema import generated; sys.stdout.buffer.write(generated())" \
		> $(VENV)/check.schema.json && mv $(VENV)/check.schema.json onetake/render/check.schema.json

docs: $(VENV)/installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --site-dir $(VENV)/site
	@echo "the site is in $(VENV)/site"

bench: $(VENV)/installed-dev
	$(BIN)/python benchmarks/run.py

wine: $(VENV)/installed-dev
	$(BIN)/python -m tests.wine.run --cache $(VENV)/wine

matrix: $(VENV)/installed-dev
	$(BIN)/python tools/install_check.py
	$(BIN)/python tools/matrix.py $(MATRIX)

soak: $(VENV)/installed-dev
	$(BIN)/python -m tests.soak.fuzz --cases 20000
	$(BIN)/python -m tests.soak.fix_matrix
	$(BIN)/python -m tests.soak.kills --takes 300 --kills 100
	for how in two stop storage; do $(BIN)/python -m tests.soak.kills --how $$how --takes 200 --kills 30 || exit 1; done
	$(BIN)/python -m tests.soak.studio_kills --kills 100
	$(BIN)/python -m tests.soak.kills --ledger postgres --how two --takes 120 --kills 30
	$(BIN)/python -m tests.soak.kills --ledger postgres --how cut --takes 120 --kills 5
	$(BIN)/python -m tests.soak.cluster_kills --objects 2000 --kills 30
	$(BIN)/python -m tests.soak.faults --takes 300 --share 0.3

clean:
	rm -rf $(VENV) dist

$(VENV)/pip: Makefile
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name it with make PYTHON=…"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	@touch $@

$(VENV)/installed: $(VENV)/pip pyproject.toml
	$(BIN)/python -m pip install --quiet --editable ".[sandbox,studio]"
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --group dev
	@! command -v npm > /dev/null || npm install --silent --no-save --prefix $(VENV)/node axe-core@4 > /dev/null \
		|| echo "axe-core could not be had: the page's accessibility is not tested"
	@touch $@
