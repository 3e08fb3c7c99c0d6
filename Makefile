# Two commands on a fresh machine with Python 3.11 or newer and make:
#   make demo    installs the light product and shows the main job on real photographs
#   make test    installs what the tests need and runs everything that CI runs

PYTHON ?= python3
PIP = -m pip install --quiet --disable-pip-version-check

.PHONY: demo test format lint types unit readme wheel install clean

demo: .venv/product
	.venv/bin/beholder demo --out demo --force

test: lint types unit readme wheel
	@echo "all checks passed"

# The light product, and the photographs that the demo looks at (scikit-image without what it needs to compute).
.venv/product: pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/python $(PIP) --editable .
	.venv/bin/python $(PIP) --no-deps scikit-image
	@touch $@

.venv-test/ready: pyproject.toml
	$(PYTHON) -m venv .venv-test
	.venv-test/bin/python $(PIP) --upgrade "pip>=25.1"
	.venv-test/bin/python $(PIP) --editable ".[all]" --group dev
	@touch $@

format: .venv-test/ready
	.venv-test/bin/ruff check --fix
	.venv-test/bin/ruff format

lint: .venv-test/ready
	.venv-test/bin/ruff format --check
	.venv-test/bin/ruff check

types: .venv-test/ready
	.venv-test/bin/mypy

unit: .venv-test/ready
	.venv-test/bin/python -m pytest

# Every command that the README shows, run as it stands there.
readme: .venv-test/ready
	.venv-test/bin/python scripts/run_readme.py README.md

# A wheel, built and then used in an environment that holds nothing else.
wheel: .venv-test/ready
	sh scripts/check_wheel.sh $(PYTHON)

clean:
	rm -rf .venv .venv-test build dist demo
