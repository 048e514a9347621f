# The commands of this project; `make` alone lists them.

SHELL := /bin/sh
.NOTPARALLEL:
.DEFAULT_GOAL := help
BIN := .venv/bin
TOOLS := crane registry helm3 helm4 prow kube-apiserver
ENVIRONMENTS := moto_server
# More than the two processors that CI has: whole runs mostly wait.
WORKERS ?= 3

.PHONY: help setup by-hand tools demo prow ecr picture terminal-pictures pages deck-pictures bench soak image pin-bases image-figures test check format clean
.PHONY: needs-prow needs-registry-and-browser needs-npm-and-browser needs-docker needs-daemon

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## make .venv from the lock file
	@hack/setup

by-hand: setup ## build what a run by hand needs beside .venv: crane, and helm under that name, in .tools/by-hand
	@hack/build-tool crane helm4
	@mkdir -p .tools/by-hand
	@ln -sf ../bin/crane .tools/by-hand/crane
	@ln -sf ../bin/helm4 .tools/by-hand/helm

tools: ## build the pinned tools that tests need: crane, its registry, both helms, Prow's programs, kube-apiserver, an S3 server, Deck's pages
	@hack/build-tool $(TOOLS)
	@hack/build-environment $(ENVIRONMENTS)
	@hack/build-deck-pages

demo: setup ## release a sample controller to a registry on this machine, and show what was published
	@$(BIN)/python -m hack.demo

prow: needs-prow setup ## run a whole Prow on this machine and release through it, until interrupted (needs root)
	@hack/build-tool crane prow kube-apiserver
	@hack/build-environment moto_server
	@hack/build-deck-pages
	@$(BIN)/python -m testbed.prow

ecr: setup ## run an ECR Public on this machine, with a sample controller to release to it, until interrupted
	@hack/build-tool crane registry helm4
	@hack/build-environment moto_server
	@$(BIN)/python -m testbed.ecr_public

picture: setup ## draw what the demo prints, for the README
	@$(BIN)/python -m hack.demo_picture

terminal-pictures: setup ## draw what commands show at a terminal, from real runs, in docs/pages
	@hack/build-tool crane helm4
	@$(BIN)/python -m hack.terminal_pictures

pages: needs-registry-and-browser setup tools ## take the pictures of release.html in docs/pages from real runs (needs Chromium)
	@$(BIN)/python -m hack.page_pictures

deck-pictures: needs-npm-and-browser setup tools ## take the pictures of Prow's pages in docs/pages from real runs (needs Chromium)
	@$(BIN)/python -m hack.deck_pictures

bench: setup tools ## measure how long runs take, compared with a bare start of Python
	@$(BIN)/python -m hack.bench $(BENCH)

soak: setup ## run 400 schedules of faults, kill -9 at every request, 77 services at once; write the figures into the docs
	@hack/build-tool crane helm4 registry
	@hack/build-environment moto_server
	@$(BIN)/python -m hack.soak --workers $(WORKERS)

image: needs-docker setup ## build the runner's own image: make image [TAG=NAME] [BASE=IMAGE] [JOBS=FILE]
	@$(BIN)/python -m hack.image $(if $(TAG),--tag $(TAG)) $(if $(BASE),--base $(BASE)) $(if $(JOBS),--jobs $(JOBS))

pin-bases: setup ## write the current digest of each base image into the files that name it
	@$(BIN)/python -m hack.pin_bases

image-figures: needs-daemon setup ## measure the runner's image: its size, and how long it takes to start (needs root)
	@$(BIN)/python -m hack.image_figures

test: setup check tools ## check the code, then run all tests that this machine can run
	$(BIN)/pytest -q -rs -n $(WORKERS) --dist worksteal -m "not exclusive"
	$(BIN)/pytest -q -rs -m exclusive || [ $$? -eq 5 ] # 5: there are none

check: setup ## check formatting, lint, types, the direction of imports and generated files
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m hack.generate --check
	$(BIN)/ack-release prowjobs check --config config/jobs.yaml

format: setup ## format the code and apply the fixes that lint can make
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# What is not built here, and is asked for before anything else is done.
needs-prow:
	@hack/require git go python dockerd etcd debootstrap npm openssl
needs-registry-and-browser:
	@hack/require git go python chromium chromedriver docker-registry
needs-npm-and-browser:
	@hack/require git go python chromium chromedriver npm
needs-docker:
	@hack/require git go python docker
needs-daemon:
	@hack/require git go python dockerd docker debootstrap

clean: ## remove everything that these commands made in this folder
	rm -rf .venv .tools artifacts dist .demo .ecr .prow .mypy_cache .ruff_cache .import_linter_cache .hypothesis .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
