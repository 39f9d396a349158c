# Each target calls the tool that does the work. ARGS passes options to the tool: make demo ARGS="--run-time 20s"
ARGS ?=
LAB := target/release/lab
CACHE := $${XDG_CACHE_HOME:-$$HOME/.cache}/dualpath

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo up status down test lint grafana-test grafana-preview web-test bench bench-consumer faults compare agreement canary cluster-test kubernetes-test traces-test pictures sbom

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install missing apt packages, Locust and servers, and build the programs of the stack
	@scripts/setup.sh

demo: setup ## Send votes through all three routes for a minute, reconcile the counts, write results/latest/report.html
	@$(LAB) demo $(ARGS)

up: setup ## Start the stack and leave it running
	@$(LAB) up $(ARGS)

status: ## List the servers of the stack, and which of them run and are ready
	@$(LAB) status

down: ## Stop the stack and remove its data
	@$(LAB) down

test: setup-dev lint ## Run all checks and all tests, including tests against real servers
	@scripts/test.sh

lint: setup-dev ## Run the checks that need no server: formats, clippy, features, licences and layers, checksums, ruff, shellcheck, promtool, ESLint
	@cargo fmt --all --check
	@$(CACHE)/tools/bin/cargo-deny --offline check --hide-inclusion-graph licenses bans sources
	@$(CACHE)/venv-dev/bin/ruff check locust bench grafana k8s e2e scripts traces
	@$(CACHE)/venv-dev/bin/ruff format --check locust bench grafana k8s e2e scripts traces
	@git ls-files '*.sh' .ci/run k8s/lab/kafka | xargs shellcheck --external-sources
	@$(CACHE)/prometheus-2.42/usr/bin/promtool check config prometheus/prometheus.yml >/dev/null
	@$(CACHE)/prometheus-2.42/usr/bin/promtool check config k8s/base/prometheus/prometheus.yml k8s/components/tls/prometheus.yml >/dev/null
	@$(CACHE)/prometheus-2.42/usr/bin/promtool test rules prometheus/tests/*.yml >/dev/null
	@scripts/web.sh run lint
	@scripts/web.sh run types
	@python3 scripts/check_pins.py
	@scripts/check-features.sh
	@cargo clippy --release --locked --workspace --all-targets -- -D warnings

web-test: setup-dev ## Test the viewer's web page: components, size, and in a browser against a running stack
	@scripts/web.sh run test -- $(ARGS)

grafana-test: setup-dev ## Run every query of the Grafana dashboards on real servers, and validate the dashboards
	@cd grafana && $(CACHE)/venv-dev/bin/python -m pytest --quiet

grafana-preview: setup-dev ## Draw the Grafana dashboards with Grafana's components under load, check them, and take pictures
	@scripts/web.sh --in grafana/preview run lint
	@scripts/web.sh --in grafana/preview run types
	@scripts/web.sh --in grafana/preview build
	@cd grafana && $(CACHE)/venv-dev/bin/python -m pytest --quiet -m preview

bench: setup-dev ## Compare throughput, CPU time and memory with peers; ARGS="--collector" adds the OpenTelemetry Collector
	@python3 bench/bench.py $(ARGS)

bench-consumer: setup-dev ## Compare the consumer with bare inserts of the same documents, and measure the delay of a count
	@python3 bench/consumer.py $(ARGS)

faults: ## Inject faults into every server under load and reconcile the counts after each (about 40 minutes)
	@scripts/setup.sh faults
	@target/release/faults $(ARGS)

compare: ## Compare REST with gRPC in a controlled experiment of two minutes; ARGS selects another plan
	@scripts/setup.sh compare naive
	@target/release/compare run $(ARGS)

traces-test: setup-dev ## Follow a vote by each route in a real OpenTelemetry Collector and Jaeger (first time 10 minutes)
	@cd traces && $(CACHE)/venv-dev/bin/python -m pytest --quiet

agreement: setup-dev ## Measure the same load with compare's load generator, h2load, ghz and wrk, and tabulate the latencies
	@python3 bench/agreement.py $(ARGS)

kubernetes-test: setup-dev ## Render every Kubernetes overlay and validate it against the schemas and the project's rules
	@cd k8s && $(CACHE)/venv-dev/bin/python -m pytest --quiet

canary: ## Send WEIGHT percent of a cluster's split path to the bridge: make canary WEIGHT=30 [VIA=gateway]
	@k8s/canary.sh "$(WEIGHT)" "$(or $(VIA),ingress)"

cluster-test: setup-dev ## Test the system on a real Kubernetes on this machine (about 40 minutes, first time 65; needs root)
	@k8s/lab/test.sh $(ARGS)

sbom: ## Write SBOMs of the Rust programs, the Python environments and the web pages to results/sbom
	@scripts/sbom.sh

pictures: web-test grafana-preview demo compare ## Replace the pictures of the docs by those of new runs (about ten minutes)
	@scripts/pictures.sh

setup-dev: ## Install what the tests and the checks need, and build everything
	@scripts/setup.sh --dev
