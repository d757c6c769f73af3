# Everything that a change must pass, and everything that a release is made of.
# The tools are built from tools/go.mod, so that go.mod gains nothing by them.

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
FUZZTIME ?= 2m
IMAGE    ?= edgeban
CACERTS  ?= /etc/ssl/certs/ca-certificates.crt

module := github.com/edgeban/edgeban
tool   := go tool -modfile=tools/go.mod

.PHONY: build test check lint bench fuzz e2e dist image clean

build: ## one static binary, ./edgeban
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X $(module)/internal/cli.release=$(VERSION)" -o edgeban ./cmd/edgeban

test:
	go test ./...

check: ## what every change must pass, before anything else is looked at
	@unformatted=$$($(tool) gofumpt -l .) && { test -z "$$unformatted" || { printf 'not formatted (gofumpt -w):\n%s\n' "$$unformatted"; exit 1; }; }
	go vet ./...
	$(tool) staticcheck ./...
	go test -race -timeout 30m ./...

lint: ## the first run builds golangci-lint, which takes minutes
	$(tool) golangci-lint run
	GOARCH=386 CGO_ENABLED=0 go vet ./... # an int has 32 bits on a small machine

bench: ## compare two runs with: go tool -modfile=tools/go.mod benchstat old new
	go test -run '^$$' -bench . -benchmem -count 10 ./...

fuzz: ## every fuzz target in turn, FUZZTIME each
	.ci/fuzz $(FUZZTIME)

e2e: ## attacks the real mail stack of deploy/mail; needs root and Debian's packages
	.ci/e2e

dist: build ## what goes into the image: root owns dist/root, uid 65532 owns dist/state
	rm -rf dist
	install -d -m 755 dist/root/var/lib dist/state
	install -D -m 755 edgeban dist/root/edgeban
	install -D -m 644 $(CACERTS) dist/root/etc/ssl/certs/ca-certificates.crt
	install -D -m 644 /dev/null dist/root/etc/passwd
	echo 'edgeban:x:65532:65532::/var/lib/edgeban:/' >dist/root/etc/passwd

image: dist ## needs a Docker engine, and no registry
	docker build --target here --tag $(IMAGE) --file Dockerfile dist

clean:
	rm -rf edgeban dist
