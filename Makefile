# The targets that people type. `make` alone lists them.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  = -s -w -X main.version=$(VERSION)
TOOL     = $(GO) tool -modfile=tools.mod

export CGO_ENABLED = 0

.PHONY: help build run test race lint fmt bench fuzz clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

build: ## build bin/poold: one static binary
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/poold ./cmd/poold

run: build ## run the daemon on config.yaml, with its state in .state/
	mkdir -p .state
	./bin/poold serve --config config.yaml --state-dir .state --socket .state/poold.sock

test: ## run all tests
	$(GO) test ./...

race: ## run all tests under the race detector (needs gcc)
	CGO_ENABLED=1 $(GO) test -race ./...

lint: ## go vet, golangci-lint, gofumpt
	$(GO) vet ./...
	$(TOOL) golangci-lint run ./...
	@test -z "$$($(TOOL) gofumpt -l . | tee /dev/stderr)"

fmt: ## format the source
	$(TOOL) gofumpt -w .

bench: build ## measure, and write docs/benchmarks.md
	./bench/run.sh

fuzz: ## fuzz each parser for a minute
	$(GO) test -run '^$$' -fuzz FuzzLoad -fuzztime 60s ./internal/config
	$(GO) test -run '^$$' -fuzz FuzzParse -fuzztime 60s ./internal/schedule

clean: ## remove what was built
	rm -rf bin dist .state
