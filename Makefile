# Thin: each target calls the tool that does the work. Options reach it by ARGS: make demo ARGS="--run-time 20s"
ARGS ?=
LAB := target/release/lab

.DEFAULT_GOAL := help
.PHONY: help setup demo up status down

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
