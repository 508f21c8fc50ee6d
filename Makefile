# One set of flags for build, test and vet: with others the AWS SDK is compiled
# a second time, which is what takes long here.
export CGO_ENABLED := 0
export GOFLAGS := -trimpath -buildvcs=false

VERSION := 0.1.0
LDFLAGS := -s -w -X main.version=$(VERSION)

# Packages that never link the AWS SDK, except in tests of the stand-in.
POLICY  := ./internal/analyze/policy/...
NO_SDK  := ./internal/analyze/... ./internal/output/... ./internal/collect/snapshot/... ./internal/collect/history/... ./internal/collect/trailfiles/...

SEED ?= 1
N    ?= 10000000
FUZZTIME ?= 20s
# Sizes of the log files of `make bench`, GB of JSON: 0.2,1,2 shows that memory is flat.
TRAIL_GB ?= 0.2

.PHONY: help build demo test race bench lint generate golden fuzz soak clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## bin/audit
	@go build -ldflags '$(LDFLAGS)' -o bin/audit ./cmd/audit

demo: build ## audit the sample account
	@bin/audit demo

test: ## all tests
	go test ./...

race: ## tests under the race detector (needs gcc)
	CGO_ENABLED=1 go test -race -short $(NO_SDK) ./internal/collect

bench: ## benchmarks, with the goals they are measured against
	go test -run '^$$' -bench . -benchmem ./internal/...
	go run ./internal/collect/trailfiles/trailbench -gb $(TRAIL_GB)

lint: ## gofmt, vet, staticcheck
	@unformatted=$$(gofmt -l cmd internal); test -z "$$unformatted" || { echo "gofmt: $$unformatted"; exit 1; }
	go vet ./...
	go tool staticcheck ./...

generate: ## the embedded action catalogue (needs npm)
	go run ./internal/analyze/actions/generate internal/analyze/actions/catalog.txt.gz

golden: ## rewrite the golden files; read the diff before you commit it
	go test $$(grep -rl --include='*_test.go' 'flag.Bool("update"' cmd internal | xargs -n1 dirname | sort -u | sed 's,^,./,') -update

fuzz: ## every fuzz target for FUZZTIME
	@set -e; for pkg in $$(go list $(NO_SDK)); do \
	  for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$pkg; \
	  done; \
	done

soak: ## the policy engine against its naive twin: SEED=1 N=10000000
	SOAK_SEED=$(SEED) SOAK_N=$(N) go test -run Soak -timeout 0 -v $(POLICY)

clean: ## what the targets above made
	rm -rf bin dist
