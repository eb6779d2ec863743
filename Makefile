# Every command a person or CI needs. `make` or `make help` lists them.

PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
unexport PYTHONDONTWRITEBYTECODE
# As pip does, uv trusts what the machine trusts: a network's proxy may have its own certificate.
export UV_SYSTEM_CERTS := true

.DEFAULT_GOAL := help
.PHONY: help setup repro fast record seeds benchmarks test test-all test-slow chromium test-server java spark test-spark fuzz lint verify \
	review comment nightly format serve page ui lock docs pictures

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

repro: setup  ## set up, then run the whole pipeline; are the results those committed?
	@digits mend
	dvc repro
	@cat reports/compare/table.md
	@digits verify

fast: setup  ## seconds of training: the pipeline with the values of profiles/fast
record: setup  ## the best that half an hour of two cores buys: those of profiles/record
fast record:
	@digits mend
	dvc exp run --temp $(addprefix --set-param ,$(shell grep -v '^#' profiles/$@))

seeds: setup  ## five seeds of the parameters, as experiments: reports/benchmarks/seeds.md
	python -m benchmarks.seeds

benchmarks: setup  ## measure again what the README quotes: hours, on an idle machine
	python -m benchmarks.seeds --profile fast --seeds 3
	python -m benchmarks.seeds --profile record --seeds 1
	python -m benchmarks.training
	python -m benchmarks.overhead
	python -m benchmarks.inference
	python -m benchmarks.scaling
	python -m benchmarks.sizes
	python -m benchmarks.loop
	python -m benchmarks.drift
	python -m benchmarks.story
	python -m benchmarks.refusal
	python -m benchmarks.handwriting
	python -m benchmarks.serving
	python -m benchmarks.serving --peers
	python -m benchmarks.serving --soak 300
	python -m benchmarks.predicting
	python -m benchmarks.page

# The files of tests are begun in their order in tests/conftest.py, the longest first.
# There is a worker on each core: further threads of one would wait and spin beside the other.
PYTEST := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 \
	pytest --numprocesses=logical --dist=loadfile --no-loadscope-reorder

test: setup  ## set up, then run the tests, a file at a time on each core: minutes
	$(PYTEST)

test-all: test test-slow  ## all tests but those of `make test-server`

test-slow: setup  ## what `make test` leaves out: kills, queues, remotes, forced runs, other CPUs
	$(PYTEST) -m slow

chromium:  ## for CI: Debian's browser for the tests of the page, where apt-get may; else they are skipped
	@command -v chromium-headless-shell \
		|| { apt-get --quiet update && apt-get --quiet --yes install chromium-headless-shell; } \
		|| command -v chromium || command -v chromium-browser || command -v google-chrome \
		|| echo 'make: no Chromium: the tests of the page will be skipped' >&2

test-server: setup  ## the pipeline against MLflow's server on PostgreSQL; root installs Debian's
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null \
		|| { apt-get --quiet update && apt-get --quiet --yes install postgresql; } \
		|| { echo 'make: PostgreSQL is missing: install its server, on Debian and Ubuntu `postgresql`' >&2; exit 1; }
	pytest -m server tests/test_server.py

# Spark is 480 MB that most never use, and Great Expectations imports it wherever it is
# installed: so it has a lock of its own and comes into .venv only by these targets.
.venv/spark: requirements-spark.lock .venv/installed
	VIRTUAL_ENV="$(CURDIR)/.venv" $(BIN)/uv pip install --quiet --no-deps --require-hashes --requirement requirements-spark.lock
	touch $@

java:  ## for CI: Debian's Java, where apt-get may; without it the Spark targets say how to get it
	@command -v java >/dev/null \
		|| { apt-get --quiet update && apt-get --quiet --yes install default-jre-headless; } \
		|| { echo 'make: Java 17 is missing: install it, on Debian and Ubuntu `default-jre-headless`' >&2; exit 1; }

spark: setup .venv/spark java  ## a Spark master and two one-core workers on 127.0.0.1, until Ctrl-C
	python -m digits.spark.cluster

test-spark: setup .venv/spark java  ## `digits score` on a real cluster, whose parts are killed
	pytest -m spark tests/spark

FUZZ ?= 2000
fuzz: setup  ## FUZZ (2000) strange requests to the server, and damaged files, of each kind
	FUZZ=$(FUZZ) pytest tests/digits/serving/test_fuzz.py tests/drills/test_fuzz_files.py

lint: setup  ## ruff, its formatter, mypy, the floors, the page's oldest browsers, the docs' links
	ruff check
	ruff format --check
	mypy
	lint-imports
	python .ci/old_browsers.py digits/serving/page/*.js digits/serving/page/*.css digits/serving/offline.js digits/serving/review_page/*.js digits/serving/review_page/*.css
	python .ci/links.py

verify: setup  ## is the committed dvc.lock that of the code and the parameters?
	@digits mend
	@if plan=$$(dvc repro --allow-missing --dry 2>&1) \
		&& ! echo "$$plan" | grep --quiet '^Running stage'; then echo 'dvc.lock is up to date'; \
	else \
		echo "$$plan" | grep --invert-match "didn't change" >&2; \
		echo 'dvc.lock is out of date: run `make repro` and commit what it changed' >&2; exit 1; \
	fi

BASE ?= main
review: setup  ## what the workspace changes against BASE (main), as Markdown: review.md
	digits diff $(BASE) --md review.md

comment:  ## for CI: show review.md in the job's summary and as a comment of the pull request
	$(PYTHON) .ci/comment.py

nightly: verify  ## for CI: the whole pipeline by force; the same data, and models as good?
	dvc repro --force
	digits verify

format: setup  ## format the code, sort the imports
	ruff check --fix
	ruff format

serve: setup  ## read digits: the server and its page on http://127.0.0.1:8000
	digits serve

page: setup  ## the page without a server: write it to build/page, serve it on http://127.0.0.1:8001
	digits export-page build/page
	python -m http.server --directory build/page --bind 127.0.0.1 8001

ui: setup  ## look at the runs: MLflow's UI on http://127.0.0.1:5000
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false mlflow ui --workers 1

docs: setup  ## regenerate docs/parameters.md, and the tables that README and docs take from reports/
	python -m digits.params > docs/parameters.md
	python -m benchmarks.tables

pictures: setup  ## make the pictures of README and docs anew, from the workspace's models and runs
	python -m benchmarks.pictures

lock: setup  ## pin every package with its hashes from pyproject.toml
	uv pip compile --quiet --universal --python-version 3.11 --extra pipeline --extra sweep --extra dev --generate-hashes --no-header pyproject.toml --output-file requirements.lock
	sed -n '/^spark = /,/^]/s/^ *"\([^"]*\)".*/\1/p' pyproject.toml \
		| uv pip compile --quiet --universal --python-version 3.11 --constraint requirements.lock --generate-hashes --no-header --output-file requirements-spark.lock -
	uv pip compile --quiet --universal --python-version 3.11 --constraints requirements.lock --generate-hashes --no-header pyproject.toml --output-file requirements-serve.lock

setup: .venv/installed  ## create .venv and install the pinned packages

# uv comes first, by pip and from the same lock; it installs the rest many times
# faster. Without bytecode TensorFlow alone would take 10 seconds more to import.
ifneq ($(shell cat .venv/installed 2>/dev/null),$(CURDIR))
.PHONY: .venv/installed # its scripts hold the path it was made at: a moved one is useless
endif

ifndef LOCKED # one make at a time: two would delete each other's .venv
.venv/installed: requirements.lock
	@$(PYTHON) -c "$$LOCK" .venv.lock $(MAKE) --no-print-directory LOCKED=yes .venv/installed
else
.venv/installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
		|| { echo 'make: Python 3.11, 3.12 or 3.13 is needed, this is' "$$($(PYTHON) --version 2>&1);" 'name another: make PYTHON=python3.12' >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	sed -n '/^uv==/,/# via/p' requirements.lock > .venv/uv.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement .venv/uv.lock
	VIRTUAL_ENV="$(CURDIR)/.venv" $(BIN)/uv pip sync --quiet --require-hashes --compile-bytecode requirements.lock
	VIRTUAL_ENV="$(CURDIR)/.venv" $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/python -c "$$PLOTS_TEMPLATE" > .venv/plots.html
	$(BIN)/python -c "$$TELEMETRY_OFF"
	printf '%s\n' "$(CURDIR)" > $@
endif

# Take the lock of a file, and hold it as the command that follows, to its end or death.
define LOCK
import fcntl, os, sys
file = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR)
fcntl.flock(file, fcntl.LOCK_EX)
os.set_inheritable(file, True)
os.execvp(sys.argv[2], sys.argv[2:])
endef
export LOCK

# The page that `dvc plots` fills in (.dvc/config names it), readable without a network.
define PLOTS_TEMPLATE
import vl_convert
print("<!DOCTYPE html><meta charset=utf-8><title>Plots</title>")
print("<script>", vl_convert.javascript_bundle(vl_version="5.21"), "</script>{plot_divs}")
endef
export PLOTS_TEMPLATE

# What runs from .venv without this project's code, as a bare `mlflow ui` does, reports
# no use either.
define TELEMETRY_OFF
import sysconfig
with open(sysconfig.get_path("purelib") + "/telemetry_off.pth", "w") as file:
    file.write("import os; os.environ.setdefault('MLFLOW_DISABLE_TELEMETRY', 'true')\n")
    file.write("import os; os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')\n")
endef
export TELEMETRY_OFF
