# tintype's daily commands. `make` alone lists them.
CARGO ?= cargo

.PHONY: help
help: ## List the commands
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

.PHONY: run
run: needs ## Install what is missing, build, and serve what proxy.toml describes
	@echo "Building; the first time this takes some minutes."
	$(CARGO) run --release --locked -- serve --config proxy.toml

.PHONY: test
test: needs ## Install what the tests need and run all of them, with a real browser and the public caching suite
	@scripts/install-clients requests || echo "The tests with a Python client will say that they were skipped."
	@scripts/install-pages || echo "The tests with real pages will say that they were skipped."
	$(CARGO) test --locked
	@if command -v node >/dev/null && command -v npm >/dev/null; then \
		$(MAKE) --no-print-directory conformance; \
	else \
		echo "Node.js is not installed: the public caching suite was not run (make conformance)"; \
	fi

.PHONY: conformance
conformance: ## Run the public HTTP caching suite against the real binary (needs Node.js)
	$(CARGO) build --locked
	scripts/conformance "$${CARGO_TARGET_DIR:-target}/debug/tintype"

.PHONY: clients
clients: needs ## Run the client libraries of other screenshot services against the real binary (CLIENTS="--only mql")
	scripts/install-clients
	$(CARGO) build --locked
	tests/clients/run.py "$${CARGO_TARGET_DIR:-target}/debug/tintype" $(CLIENTS)

# SOAK_PROFILE= takes the debug build.
SOAK_PROFILE ?= --release
.PHONY: soak
soak: needs ## Make 1,000 captures (SOAK_CAPTURES) of mixed pages and print what grows: nothing should
	$(CARGO) test $(SOAK_PROFILE) --locked --test it chrome_soak -- --ignored --nocapture

.PHONY: bench
bench: ## CPU time of a hit beside nginx and Varnish, as far as they are installed (BENCH="--rounds 9")
	$(CARGO) build --release --locked
	scripts/bench "$${CARGO_TARGET_DIR:-target}/release/tintype" $(BENCH)

.PHONY: bench-parts
bench-parts: ## Time of single decisions: key, reuse, record, the short way of a hit
	$(CARGO) bench --locked --bench decisions

.PHONY: bench-capture
bench-capture: needs ## Captures per second beside Playwright for Python, same pages and browser (BENCH="--rounds 5")
	$(CARGO) build --release --locked
	scripts/bench-capture "$${CARGO_TARGET_DIR:-target}/release/tintype" $(BENCH)

.PHONY: bench-pages
bench-pages: needs ## 313 real pages beside Playwright: right or wrong, same bytes, time (BENCH="--sample 40 --speed 20")
	$(CARGO) build --release --locked
	scripts/bench-pages "$${CARGO_TARGET_DIR:-target}/release/tintype" $(BENCH)

.PHONY: bench-bounds
bench-bounds: ## Resident size under floods, slow readers, 10,000 idle connections, against what is configured (any build)
	$(CARGO) build --locked
	benches/bounds/run.py "$${CARGO_TARGET_DIR:-target}/debug/tintype" $(BENCH)

.PHONY: bench-consent
bench-consent: ## Capture a page with each consent library of npm (needs Node.js), and say how often the box is gone (BENCH="--times 5")
	$(CARGO) build --locked
	benches/consent/run.py "$${CARGO_TARGET_DIR:-target}/debug/tintype" $(BENCH)

.PHONY: bench-filters
bench-filters: ## What filter lists cost on pages with very many elements, in wall and CPU time (BENCH="--full")
	$(CARGO) build --release --locked
	benches/filters/run.py "$${CARGO_TARGET_DIR:-target}/release/tintype" $(BENCH)

.PHONY: check
check: fmt lint doc ## Format, lints, documentation and all tests, without installing anything
	$(CARGO) test --locked

.PHONY: fmt
fmt: ## Is everything formatted?
	$(CARGO) fmt --check

.PHONY: lint
lint: ## Clippy, warnings denied
	$(CARGO) clippy --locked --all-targets -- -D warnings
	# The fuzz targets are a workspace of their own, and nothing else here notices a lock file that is behind.
	$(CARGO) metadata --locked --format-version 1 --manifest-path fuzz/Cargo.toml >/dev/null

.PHONY: doc
doc: ## Build the documentation, warnings denied
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items

.PHONY: deny
deny: ## Check licences, bans and advisories with cargo-deny
	@command -v cargo-deny >/dev/null || { \
		echo "cargo-deny is not installed: cargo install --locked cargo-deny" >&2; \
		echo "Licences, bans and sources are also tested without it: cargo test --test it licences" >&2; exit 1; }
	$(CARGO) deny --locked check --allow unmatched-skip licenses bans sources
	@if $(CARGO) deny --locked fetch db; then $(CARGO) deny --locked check advisories; \
	else echo "the advisory database cannot be reached: advisories were not checked" >&2; fi

# Of every target.
FUZZ_SECONDS ?= 180
.PHONY: fuzz
fuzz: ## Fuzz every parser of what comes from outside, and the whole exchange (FUZZ_SECONDS each, TARGET="dates vary")
	scripts/fuzz $(FUZZ_SECONDS) $(TARGET)

.PHONY: needs
needs:
	@scripts/install-browser
