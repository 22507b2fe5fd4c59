# The targets that people type. `make` alone lists them.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  = -s -w -X main.version=$(VERSION)
TOOL     = $(GO) tool -modfile=tools.mod

# Inputs, not a time: the end of its time is at times a failure to go test -fuzz.
FUZZTIME ?= 100000x

export CGO_ENABLED = 0

.PHONY: help build run test race lint fmt bench bench-quick bench-smoke fuzz cover vuln systemd-test vm-test clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

build: ## build bin/poold: one static binary
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/poold ./cmd/poold

run: build ## run the daemon on config.yaml, with its state in .state/
	mkdir -p .state
	./bin/poold serve --config config.yaml --state-dir .state --socket .state/poold.sock

test: ## run all tests
	$(GO) test ./...

# A program under the race detector sleeps a second at its end otherwise, and
# the stories run hundreds.
race: ## run all tests under the race detector (needs gcc)
	GORACE=atexit_sleep_ms=50 CGO_ENABLED=1 $(GO) test -race -timeout 20m ./...

lint: ## go vet, golangci-lint, gofumpt
	$(GO) vet ./...
	$(TOOL) golangci-lint run ./...
	cd bench && $(GO) vet ./... && $(GO) tool -modfile=../tools.mod golangci-lint run ./...
	@unformatted=$$($(TOOL) gofumpt -l .) && printf "%s" "$$unformatted" >&2 && test -z "$$unformatted"

fmt: ## format the source
	$(TOOL) gofumpt -w .

bench: ## measure, and write docs/benchmarks.md
	./bench/run.sh

bench-quick: ## measure less, in two minutes, and print it
	./bench/run.sh -quick

bench-smoke: ## test the measurements themselves, and take each for a moment
	$(GO) vet -C bench ./...
	$(GO) test -C bench ./...
	./bench/run.sh -smoke

fuzz: ## fuzz each parser in turn, with FUZZTIME inputs (100000x)
	@set -e; grep -roE '^func Fuzz[A-Za-z]+' --include='*_test.go' internal | sort | while IFS=: read -r file func; do \
		echo "$$file: $${func#func }"; \
		$(GO) test -run '^$$' -fuzz "^$${func#func }$$" -fuzztime $(FUZZTIME) "./$$(dirname "$$file")" </dev/null; \
	done

cover: ## run all tests and say what they reach, by package and in all
	mkdir -p .cache
	$(GO) test -coverpkg=./... -coverprofile=.cache/cover.out ./...
	$(GO) tool cover -func=.cache/cover.out | tail -n 1

vuln: ## look for known vulnerabilities in what is called
	$(GO) run golang.org/x/vuln/cmd/govulncheck@v1.8.0 ./...

systemd-test: build ## test the unit under a real systemd in namespaces (needs root)
	./systemd/test/run.sh bin/poold

vm-test: build ## set the clock of a virtual machine under poold (needs QEMU)
	./test/vm/run.sh bin/poold

clean: ## remove what was built
	rm -rf bin dist .state .cache
