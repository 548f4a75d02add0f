# Caracal. The two commands a newcomer needs: `make run` and `make test`. `make help` lists the rest.

TARGET := $(or $(CARGO_TARGET_DIR),target)
ARGS ?=

.PHONY: help run dev dist setup test e2e lint fmt bench chaos clean-data

help: ## show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-10s %s\n", $$1, $$2 }'

run: setup ## build the release binary and start it on 127.0.0.1:7420, data in ./data (ARGS="--slots 4" is passed on)
	@cargo xtask build --release
	@exec $(TARGET)/release/caracal serve $(ARGS)

dev: setup ## the same from a debug build: quick to rebuild, styles and pages read from disk
	@cargo xtask build
	@exec $(TARGET)/debug/caracal serve $(ARGS)

dist: setup ## a static binary for any Linux of this architecture, with its checksum, into target/dist (needs musl-tools)
	@cargo xtask dist

setup: ## install what a build needs: the WebAssembly target and the npm packages
	@scripts/setup

test: ## install what the tests need, then run every one of them
	@scripts/test

e2e: setup ## only the tests in a real browser (SPEC=plans narrows them)
	@scripts/e2e $(SPEC)

lint: setup ## formatting, clippy for server and browser, our own rules
	@scripts/lint

fmt: ## format all Rust code
	@cargo fmt --all

bench: setup ## measure a release build against the budgets of DESIGN.md (ONLY="w1 w3" narrows it)
	@scripts/bench $(ONLY)

chaos: setup ## kill, starve and mislead a release build and its engine for an hour (CARACAL_CHAOS_SECONDS), and count what is lost
	@scripts/chaos

clean-data: ## throw away ./data: every plan, task and console of a local trial
	rm -rf data
