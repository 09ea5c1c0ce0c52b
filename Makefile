# PiCloud. `make run` and `make test` are all that a newcomer needs; `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
TOOLS := $(CURDIR)/bin/tools
BINARY := bin/picloud
# The program of the sandbox's children; picloud carries it.
CHILD := internal/sandbox/program/sandbox-child

GOLANGCI_LINT_VERSION := v2.15.0
SQLC_VERSION := v1.31.1
WORKFLOWCHECK_VERSION := v0.6.0
GOVULNCHECK_VERSION := v1.9.0

# What links the Temporal server or its UI is tested without -race: compiling them twice costs minutes, and those tests drive processes from outside.
# So are hostile scripts, whose ends by memory and time the race detector would blur.
UNRACED := internal/sandbox/hostile|deployments/embedded/temporalserver|deployments/embedded/temporalui|internal/cli|cmd/picloud|bench|deployments/caddy

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

.PHONY: run
run: postgresql build ## build, start everything in the foreground, deploy the first example (Ctrl-C stops it)
	@exec $(BINARY) up --apply examples/github-triage

.PHONY: postgresql
postgresql:
	@deployments/install/postgresql.sh

.PHONY: build
build: ## build bin/picloud
	@if [ ! -e $(BINARY) ]; then echo "Building $(BINARY): the first time Temporal's server is compiled too, which takes about five minutes on two cores ..."; fi
	@CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o $(CHILD) ./cmd/sandbox-child
	@go build -tags embedchild -ldflags "-s -w -X github.com/picloud/picloud/internal/cli.Version=$(VERSION)" -o $(BINARY) ./cmd/picloud

.PHONY: test
test: postgresql test-tools build example-packages ## every test, with a real PostgreSQL and a real Temporal
	@export PICLOUD_TEST_BIN=$(CURDIR)/$(BINARY); \
	 echo "== with the race detector"; \
	 go test -race -timeout 20m $$(go list ./... | grep -vE '/($(UNRACED))$$'); \
	 echo "== without: memory, hostile scripts, whole programs"; \
	 go test -timeout 20m -run '^TestMemory' ./internal/sandbox; \
	 go test -timeout 20m $$(go list ./... | grep -E '/($(UNRACED))$$')

.PHONY: test-tools
test-tools:
	@deployments/install/test-tools.sh caddy swaks

.PHONY: example-packages
example-packages:
	@npm ci --prefix examples/github-triage --no-audit --no-fund --silent
	@npm ci --prefix internal/sandbox/types --no-audit --no-fund --silent

.PHONY: replay
replay: ## replay the recorded histories against the workflow code
	@go test -count=1 -run Replay ./workflows

.PHONY: record-histories
record-histories: build ## record histories anew, from this code: only for a released version
	@PICLOUD_TEST_BIN=$(CURDIR)/$(BINARY) go test -count=1 -run Record ./workflows -record

.PHONY: bench
bench: postgresql build ## the engine's floor beside triggered and sync executions, as ratios
	@go run -tags embedchild ./bench -binary $(BINARY)

.PHONY: lint
lint: $(TOOLS)/golangci-lint $(TOOLS)/workflowcheck ## golangci-lint, go vet, workflowcheck
	@go vet ./...
	@$(TOOLS)/golangci-lint run ./...
	@$(TOOLS)/workflowcheck ./workflows/...

.PHONY: vulnerabilities
vulnerabilities: $(TOOLS)/govulncheck ## known vulnerabilities whose code is in the program; .ci/vulnerabilities.yaml has the exceptions
	@go build -o bin/picloud-with-symbols ./cmd/picloud
	@database=$$(go mod download -json golang.org/x/vulndb@latest | sed -n 's/.*"Dir": "\(.*\)".*/\1/p'); \
	 $(TOOLS)/govulncheck -mode binary -format json -db "file://$$database/data/osv" bin/picloud-with-symbols | go run ./internal/vulnerabilities .ci/vulnerabilities.yaml

.PHONY: generate
generate: $(TOOLS)/sqlc ## generated code: SQL queries, API server and client
	@cd schema && $(TOOLS)/sqlc generate
	@go generate ./api/...

.PHONY: verify
verify: generate ## fail when generated code is not current
	@git diff --exit-code -- internal/store/sqlc api || { echo "Generated code is not current: run make generate and commit."; exit 1; }

.PHONY: clean
clean: ## remove what was built (never the data)
	@rm -rf bin $(CHILD)

$(TOOLS)/golangci-lint: Makefile
	@GOBIN=$(TOOLS) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION) && touch $@
$(TOOLS)/sqlc: Makefile
	@GOBIN=$(TOOLS) go install github.com/sqlc-dev/sqlc/cmd/sqlc@$(SQLC_VERSION) && touch $@
$(TOOLS)/workflowcheck: Makefile
	@GOBIN=$(TOOLS) go install go.temporal.io/sdk/contrib/tools/workflowcheck@$(WORKFLOWCHECK_VERSION) && touch $@
$(TOOLS)/govulncheck: Makefile
	@GOBIN=$(TOOLS) go install golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION) && touch $@
