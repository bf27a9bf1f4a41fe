# make test     every test; on Debian as root it first installs the clients that tests use
# make check    what must be green before a commit
# make bench    the benchmarks, and relay beside Postfix where that is installed; with BENCH=DIR of a load driver also beside PEERS
# make fuzz     each fuzz target for FUZZTIME (60s)

GO         ?= go
FUZZTIME   ?= 60s
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK = golang.org/x/vuln/cmd/govulncheck@v1.9.0

.PHONY: test check bench fuzz tools

test: tools
	$(GO) test -timeout 30m ./...

# The clients that the tests from the outside use: see scripts/tools.sh.
tools:
	@sh scripts/tools.sh

check:
	@bad=$$(gofmt -l .); [ -z "$$bad" ] || { echo "gofmt would change:" $$bad; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	@sh scripts/vulncheck.sh "$(GO)" "$(GOVULNCHECK)"
	$(GO) test ./internal/rooms
	$(GO) test -race -short -timeout 30m ./...

PEERS ?= postfix-dovecot postfix-dovecot-mdbox

bench:
	$(GO) test -timeout 60m -run '^$$' -bench . -benchmem ./...
	@bash scripts/bench-relay.sh
	@sh scripts/bench.sh $(PEERS)

fuzz:
	@sh scripts/fuzz.sh "$(GO)" "$(FUZZTIME)"
