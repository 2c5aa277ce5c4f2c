# Everything that a person or CI does here. `make` alone tells what there is.

GO  := go
BIN := $(CURDIR)/.bin

# The tools that tools/third pins are built once for each state of its go.sum and each version of Go.
PIN := $(shell { $(GO) env GOVERSION GOOS GOARCH; cat tools/third/go.mod tools/third/go.sum; } | cksum | tr ' ' '-')
BUF  := .bin/.buf-$(PIN)
GRPC := .bin/.protoc-gen-go-grpc-$(PIN)
LINT := .bin/.golangci-lint-$(PIN)

# Pure rooms hold no goroutine for the race detector to watch, and their fuzz seeds and properties run ten times faster
# without it. Every other room is raced; a new one is from its first day.
PURE := ^github.com/leadpact/leadpact/(internal/(agreement|calendar|lead)|services/handoff/(clock|route)|services/scoring/(score|stage))(/|$$)
TESTED = $(GO) list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...

# SQLite here is C translated to Go. Raced, it is thirty times slower, and what it guards with its own locks is not ours to
# find faults in; its driver, which passes memory between goroutines, stays raced, and so does all code of ours.
RACE := -race -gcflags=modernc.org/sqlite/lib=-race=false -gcflags=modernc.org/libc/...=-race=false

# What is given here goes to every go test, as in make test TESTFLAGS=-v.
TESTFLAGS ?=

.DEFAULT_GOAL := help

.PHONY: help
help: ## tell what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## build and start everything with a live demonstration
	@bin/leadpact demo

.PHONY: build
build: ## build bin/leadpact, one static binary
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/leadpact ./services/leadpact

.PHONY: test
test: .bin/testpg ## run the whole test suite; a PostgreSQL is provided
	@tools/need gcc gcc libc6-dev
	@tools/need curl curl
	@.bin/testpg -- $(MAKE) --no-print-directory test-here

.PHONY: test-here
test-here: ## run it against the server that LEADPACT_TEST_POSTGRES names
	@all=$$($(TESTED)) || exit 1; failed=; \
	pure=$$(echo "$$all" | grep -E '$(PURE)') || exit 1; \
	others=$$(echo "$$all" | grep -vE '$(PURE)') || exit 1; \
	echo "pure rooms"; \
	$(GO) test -shuffle=on $(TESTFLAGS) $$pure || failed="$$failed pure"; \
	echo "all other rooms, raced"; \
	CGO_ENABLED=1 $(GO) test $(RACE) -shuffle=on $(TESTFLAGS) $$others || failed="$$failed others"; \
	echo "tools, raced"; \
	CGO_ENABLED=1 $(GO) -C tools test $(RACE) -shuffle=on $(TESTFLAGS) ./... || failed="$$failed tools"; \
	[ -z "$$failed" ] || { echo "failed:$$failed"; exit 1; }

# How long make fuzz looks at each.
FUZZTIME ?= 30s

.PHONY: fuzz
fuzz: ## look for webhooks that break their readers, FUZZTIME=30s each; what is found stays under internal/hook/testdata/fuzz
	@all=$$($(GO) test -list '^Fuzz' ./internal/hook | grep '^Fuzz') || { echo "there is nothing to fuzz"; exit 1; }; \
	n=$$(echo "$$all" | wc -l); i=0; failed=; \
	for f in $$all; do \
		i=$$((i+1)); echo "$$i of $$n: $$f for $(FUZZTIME)"; \
		$(GO) test ./internal/hook -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) || failed="$$failed $$f"; \
	done; \
	[ -z "$$failed" ] || { echo "failed:$$failed"; exit 1; }

.PHONY: hooks
hooks: ## hold the readers of webhooks against recorded signatures and bodies; SHARED=FOLDER names them
	@[ -n "$(SHARED)" ] || { echo "name the folder with the records: make hooks SHARED=FOLDER"; exit 1; }
	@$(GO) run ./tools/hookcheck -shared '$(SHARED)'

.PHONY: test-rules
test-rules: ## check the Prometheus rules and run their tests
	@for pattern in rules/*.yaml tests/*.yaml; do \
		ls deploy/prometheus/$$pattern >/dev/null 2>&1 || { echo "there is no deploy/prometheus/$$pattern to check"; exit 1; }; \
	done
	@tools/promtool check rules --lint-fatal deploy/prometheus/rules/*.yaml
	@tools/promtool test rules deploy/prometheus/tests/*.yaml

.PHONY: paper
paper: ## print the examples on A4 and letter, and count their pages
	@tools/need chromium chromium
	@$(GO) run ./tools/paper docs/examples/*/agreement.yaml

.PHONY: lint
lint: $(LINT) ## check the code, the borders between rooms, and the format
	.bin/golangci-lint run ./... ./tools/...

.PHONY: fmt
fmt: $(LINT) $(BUF) ## format the code and the contract
	.bin/golangci-lint fmt
	.bin/buf format -w

.PHONY: generate
generate: plugins ## generate Go from the contract in proto
	.bin/buf generate

.PHONY: verify-generated
verify-generated: plugins ## check the contract, and that generated code is what it generates
	@tools/verify-generated

.PHONY: tools
tools: plugins $(LINT) ## build the generators and the linter into .bin

# The plugin for messages comes from the product's own module: generated code is never newer than what it runs on.
.PHONY: plugins
plugins: $(BUF) $(GRPC)
	@GOWORK=off $(GO) build -o .bin/protoc-gen-go google.golang.org/protobuf/cmd/protoc-gen-go

$(BUF): PACKAGE := github.com/bufbuild/buf/cmd/buf
$(GRPC): PACKAGE := google.golang.org/grpc/cmd/protoc-gen-go-grpc
$(LINT): PACKAGE := github.com/golangci/golangci-lint/v2/cmd/golangci-lint
$(BUF) $(GRPC) $(LINT):
	@echo "building $(notdir $(PACKAGE)) (once)"
	@mkdir -p .bin && rm -f .bin/.$(notdir $(PACKAGE))-[0-9]*
	@GOWORK=off GOBIN=$(BIN) CGO_ENABLED=0 $(GO) -C tools/third install -trimpath -ldflags='-s -w' $(PACKAGE)
	@touch $@

.PHONY: .bin/testpg
.bin/testpg:
	@$(GO) build -o $@ ./tools/testpg

# On a disk, not in memory: fsyncs are what much of it is about.
BENCH = tools/need strace strace && $(GO) build -o .bin/bench ./tools/bench && \
	TMPDIR=/var/tmp .bin/testpg -data /var/tmp -- .bin/bench

.PHONY: bench
bench: build .bin/testpg ## measure ours beside its ceilings, at most thirty minutes; ROW=name for one row; writes bench.json, bench.html
	@$(BENCH) -row '$(ROW)'

.PHONY: bench-quick
bench-quick: build .bin/testpg ## take every path of the benchmarks once; it says nothing about speed
	@$(BENCH) -quick -json .bin/bench-quick.json -page .bin/bench-quick.html

.PHONY: chaos
chaos: build .bin/testpg ## kill -9 at random moments under load: one embedded process 25 times, roles in production 10 times; NATS away for a minute
	@$(GO) build -o .bin/chaos ./tools/chaos
	@GOWORK=off $(GO) build -o .bin/nats-server github.com/nats-io/nats-server/v2
	.bin/chaos -kills 25
	.bin/testpg -- .bin/chaos -production -kills 10
	.bin/testpg -- .bin/chaos -retries

.PHONY: mutants
mutants: .bin/testpg ## break promises on purpose and list which test turns red
	.bin/testpg -- $(GO) run ./tools/mutants

.PHONY: clean
clean: ## remove what was built; tools in .bin too
	rm -rf bin .bin
