# Thin: each target calls the tool that does the work. Options reach it by ARGS: make demo ARGS="--run-time 20s"
ARGS ?=
LAB := target/release/lab
CACHE := $${XDG_CACHE_HOME:-$$HOME/.cache}/dualpath

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo up status down test lint grafana-test web-test bench faults compare agreement canary cluster-test kubernetes-test

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what is missing (apt packages, Locust, servers) and build the programs
	@scripts/setup.sh

demo: setup ## Drive a minute of votes through all three routes, check the books, write results/latest/report.html
	@$(LAB) demo $(ARGS)

up: setup ## Start the whole stack and leave it running
	@$(LAB) up $(ARGS)

status: ## Show which servers run and which are ready
	@$(LAB) status

down: ## Stop the stack and remove its data
	@$(LAB) down

test: setup-dev lint ## Pass every check and every test, those against real servers included
	@cargo test --release --locked --workspace
	@cd locust && $(CACHE)/venv-dev/bin/python -m pytest --quiet
	@$(CACHE)/venv-dev/bin/python -m pytest --quiet -p no:locust bench
	@cd grafana && $(CACHE)/venv-dev/bin/python -m pytest --quiet
	@cd k8s && $(CACHE)/venv-dev/bin/python -m pytest --quiet
	@scripts/web.sh run test

lint: setup-dev ## Pass the checks that need no server: formats, clippy, licences and layers, ruff, promtool, ESLint
	@cargo fmt --all --check
	@$(CACHE)/tools/bin/cargo-deny --offline check --hide-inclusion-graph licenses bans sources
	@$(CACHE)/venv-dev/bin/ruff check locust bench grafana k8s
	@$(CACHE)/venv-dev/bin/ruff format --check locust bench grafana k8s
	@$(CACHE)/prometheus-2.42/usr/bin/promtool check config prometheus/prometheus.yml >/dev/null
	@$(CACHE)/prometheus-2.42/usr/bin/promtool check config k8s/base/prometheus/prometheus.yml >/dev/null
	@$(CACHE)/prometheus-2.42/usr/bin/promtool test rules prometheus/tests/*.yml >/dev/null
	@scripts/web.sh run lint
	@scripts/web.sh run types
	@cargo clippy --release --locked --workspace --all-targets -- -D warnings

web-test: setup-dev ## Test the viewer's page: its parts, its size, and in a browser against a running stack
	@scripts/web.sh run test -- $(ARGS)

grafana-test: setup-dev ## Ask each query of Grafana's boards of running servers, and hold the boards against its schema
	@cd grafana && $(CACHE)/venv-dev/bin/python -m pytest --quiet

bench: setup-dev ## Compare throughput and CPU per vote with the naive service and with the floor
	@python3 bench/bench.py $(ARGS)

faults: setup ## Kill, stop and starve everything under load, and read the books after each fault (about 40 minutes)
	@target/release/faults $(ARGS)

compare: setup ## Compare REST with gRPC by a controlled experiment of two minutes; ARGS names another plan
	@target/release/compare run $(ARGS)

agreement: setup-dev ## Hold the comparison's driver against h2load and ghz on the same load
	@python3 bench/agreement.py $(ARGS)

kubernetes-test: setup-dev ## Render every Kubernetes overlay, and hold it against the schemas and the rules
	@cd k8s && $(CACHE)/venv-dev/bin/python -m pytest --quiet

canary: ## Send WEIGHT percent of the split path in a cluster to the bridge: make canary WEIGHT=30 [VIA=gateway]
	@k8s/canary.sh "$(WEIGHT)" "$(or $(VIA),ingress)"

cluster-test: setup-dev ## Show the whole system on a real Kubernetes made on this machine (about 25 minutes, 20 more the first time; needs root)
	@k8s/lab/test.sh $(ARGS)

setup-dev:
	@scripts/setup.sh --all-targets
	@scripts/setup-dev.sh
