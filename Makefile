# Two commands do everything on a fresh machine with Python 3.11 and make: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
PIP := $(RUN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help demo test check format lint types imports lock benchmark throughput tcga prove guards torture soak docs package sbom audit clean

help: ## Show what there is
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 20

demo: $(VENV)/.runtime ## A sandbox server, example patients, one pass, an amendment, a withdrawal
	@$(RUN)/her2-adapter demo

test: $(VENV)/.dev ## Every test; what needs Java, Node, Go or Prometheus skips loudly without it
	@$(RUN)/pytest $(PYTEST_ARGS)

check: lint types imports test ## What CI runs: format, lint, types, imports, tests

format: $(VENV)/.dev ## Format the code
	@$(RUN)/ruff format adapter tests benchmarks
	@$(RUN)/ruff check --fix --quiet adapter tests benchmarks

lint: $(VENV)/.dev
	@$(RUN)/ruff format --check --quiet adapter tests benchmarks
	@$(RUN)/ruff check --quiet adapter tests benchmarks

types: $(VENV)/.dev
	@$(RUN)/mypy

imports: $(VENV)/.dev
	@$(RUN)/lint-imports --no-cache

lock: $(VENV)/.dev ## Write the hash-locked dependency sets anew
	@$(PIP) install uv
	@for set in "requirements.lock --group install --extra postgres" "requirements-dev.lock --group dev --extra postgres"; do \
	  $(RUN)/uv pip compile pyproject.toml --universal --generate-hashes --python-version 3.11 --upgrade --quiet \
	    --custom-compile-command "make lock" -o $$set || exit 1; done

benchmark: $(VENV)/.dev ## The adapter beside the bare HTTP exchange, on a real HAPI server
	@$(RUN)/python -m benchmarks.live

throughput: $(VENV)/.dev ## Bundles answered over HTTP on one core: how many a second, with how much memory
	@$(RUN)/python -m benchmarks.derive_operation

tcga: $(VENV)/.dev ## TCGA-BRCA, where TCGA_BRCA_FILE is at hand: docs/tcga-brca.md anew
	@$(RUN)/python -m tests.registries.tcga --write docs/tcga-brca.md

prove: $(VENV)/.dev ## Measure the promises: docs/promises.md anew; HER2_PROVE=full for the shares by hand
	@$(RUN)/python -m tests.promises

guards: $(VENV)/.dev ## Remove each guard of the product in turn: do the tests notice?
	@$(RUN)/python -m tests.guards

torture: $(VENV)/.dev ## By hand, for hours: 1,000 kills on the sandbox, HAPI and Medplum; 50 seeds of every network fault
	@HER2_PROVE=full REQUIRE_REAL=1 $(RUN)/pytest -v tests/promises/test_torture.py tests/promises/test_network_faults.py

soak: $(VENV)/.dev ## By hand: a service worked for eight hours; does it grow? HER2_SOAK_MINUTES for less
	@$(RUN)/python -m tests.soak --minutes $${HER2_SOAK_MINUTES:-480}

docs: $(VENV)/.dev ## Write the generated pages anew
	@$(RUN)/her2-adapter table --output markdown > docs/decision-table.md
	@$(RUN)/her2-adapter mappings list --output markdown > docs/clinical-input.md
	@$(RUN)/python -m tests.unit.sandbox.habits.page

package: $(VENV)/.runtime ## The mappings as a FHIR package for terminology servers, in dist/
	@mkdir -p dist
	@$(RUN)/her2-adapter mappings package --to dist

SBOM ?= dist/sbom.cdx.json
sbom: $(VENV)/.dev ## What the product is made of, as CycloneDX, from the lock
	@mkdir -p $(dir $(SBOM))
	@PYTHONWARNINGS=ignore $(RUN)/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml \
	  --output-reproducible --of JSON --output-file $(SBOM)

audit: $(VENV)/.dev ## Known vulnerabilities of the lock; says NOT AUDITED where no advisory source answers
	@PATH="$(CURDIR)/$(RUN):$$PATH" $(RUN)/python -m tests.supply.audit

clean: ## Remove the environment and the caches
	rm -rf $(VENV) .cache .pytest_cache .mypy_cache .ruff_cache dist

# The environments: everything by hash from the lock, then this checkout itself. Nothing is resolved anew: pip would look at
# releases newer than the lock (for a requirement with an extra) and then refuse them for want of a hash.
$(VENV)/.runtime: requirements.lock pyproject.toml
	@test -x $(RUN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --require-hashes --no-deps -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@$(PIP) check
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml
	@test -x $(RUN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --require-hashes --no-deps -r requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@$(PIP) check
	@touch $@ $(VENV)/.runtime
