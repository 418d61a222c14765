# SPDX-License-Identifier: Apache-2.0

.PHONY: all check test race lint fmt bench bench-vpp record diff faults demo

# What builds anywhere; a real VPP, and the rig around it, need Linux.
LIBRARY = ./desiredstate/... ./binapi ./vppnet/... ./vhost ./bond ./acl ./gpe ./l3/... ./kinds/... ./vpptest

all: check test

check: ## what is quick and must always hold
	go vet ./... ./examples/...
	for os in darwin windows; do GOOS=$$os go vet . $(LIBRARY) || exit 1; done
	test -z "$$(gofmt -l . | tee /dev/stderr)"

test: ## the README's command
	go test -timeout 30m ./... ./examples/...

race: ## data races, in another order, with more random cases
	go test -race -shuffle=on -timeout 40m . ./desiredstate/... ./binapi/... ./vppnet/... ./vhost/... ./bond/... ./acl/... ./gpe/... ./l3/... ./kinds/... ./vpptest/... ./internal/... \
		./examples/ownkind/... ./examples/agent/follow/... ./examples/agent/publish/... ./examples/agent/translate/... ./examples/agent/wants/...

lint: ## golangci-lint, with the import law
	GOWORK=off go tool -modfile=tools.mod golangci-lint run ./...
	cd examples && GOWORK=off go tool -modfile=../tools.mod golangci-lint run ./...

fmt:
	GOWORK=off go tool -modfile=tools.mod gofumpt -w .

bench: ## ratios beside a hand-written client in the same run
	go test -run '^$$' -bench . -benchmem ./desiredstate/... ./vppnet/... ./bond/... ./acl/... ./gpe/... ./l3/... ./kinds/... ./examples/agent

bench-vpp: ## the same jobs by hand, by the engine and by the agent, on a real VPP and the in-memory one
	go run ./examples/bench --ports 100,1000

record: ## what the installed VPP answers, for vpptest to be measured by
	go test ./vpptest -run '^TestReplay(Odd)?$$' -record

REPLIES ?= 50000
SEED ?= 1
FINDINGS ?=

diff: ## random requests to the installed VPP and to vpptest: do they answer the same? (REPLIES, SEED, FINDINGS=directory)
	go test ./vpptest -run 'TestDiff$$' -v -count 1 -timeout 0 -replies $(REPLIES) -seed $(SEED) -for 2h -findings '$(FINDINGS)'

TIMES ?= 3

faults: ## all that can happen to a host, TIMES times as often as in a test, on the installed VPP (SEED); -update writes docs/faults.md
	go test ./examples/agent -run 'TestFaultsReal$$' -v -count 1 -timeout 0 -faults.real -faults.times $(TIMES) -faults.seed $(SEED) $(UPDATE)

demo:
	go run ./examples/agent demo
