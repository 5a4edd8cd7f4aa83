# SPDX-License-Identifier: GPL-3.0-or-later
#
# `make` alone lists the targets.

GO       ?= go
VERSION  ?= $(shell git describe --tags --dirty 2>/dev/null || echo 0.1.0+$$(git rev-parse --short HEAD 2>/dev/null || echo unknown))
FUZZTIME ?= 10s
LDFLAGS   = -s -w -X main.version=$(VERSION)
GOBUILD   = CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)'

# git refuses to describe a checkout of another user, and go then to build it.
export GOFLAGS := -buildvcs=false $(GOFLAGS)

# Where the tests of machines find what `make test-root` prepares.
export RASTOS_TEST_BINARY      ?= $(CURDIR)/build/rastos
export RASTOS_TEST_REPO        ?= $(CURDIR)/build/repo/demo
export RASTOS_TEST_KERNEL_ROOT ?= $(CURDIR)/build/test-root

.DEFAULT_GOAL := help
.PHONY: help build libalpm conformance test test-pure test-race test-peers test-fs test-vm soak soak-powercut soak-steps lint fuzz bench bench-packages bench-databases bench-nodes bench-repo figures \
	demo repo host-tools test-root man clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build build/rastos and build/rastos-init, static
	@mkdir -p build
	$(GOBUILD) -o build/rastos ./cmd/rastos
	$(GOBUILD) -o build/rastos-init ./cmd/rastos-init

# The headers do not tell their version. Without them this fails, and nothing
# else does: the build tag keeps the program out of all other targets.
libalpm: ## build build/rastos-libalpm against the system's libalpm (13 to 16)
	@mkdir -p build
	@major=$$(pkg-config --modversion libalpm | cut -d. -f1); \
	[ -n "$$major" ] || { echo "libalpm's headers are missing; Debian: apt-get install libalpm-dev libarchive-dev pkg-config gcc; Arch: pacman -S base-devel"; exit 1; }; \
	CGO_ENABLED=1 CGO_CFLAGS="-O2 -DLIBALPM_MAJOR=$$major" $(GO) build -trimpath -ldflags '-s -w' -tags libalpm -o build/rastos-libalpm ./cmd/rastos-libalpm

test: ## run everything: lint, then all suites (root; installs host programs)
	@tools/hosttools/host-tools.sh $(if $(filter true,$(CI)),,--lenient)
	@$(MAKE) --no-print-directory lint
	@if [ "$$(id -u)" = 0 ] || [ "$(CI)" = true ]; then $(MAKE) --no-print-directory test-root; fi
	$(GO) run ./tools/suites

test-pure: ## run the tests that need no root and no other programs
	$(GO) run ./tools/suites pure

test-race: ## run what works in parallel under the race detector
	$(GO) run ./tools/suites race

test-peers: ## run the tests against pacman, qemu-img, gpg and their like
	$(GO) run ./tools/suites peers

test-fs: test-root ## run the tests on real file systems (root)
	$(GO) run ./tools/suites fs

test-vm: test-root ## run the tests that boot machines (root)
	$(GO) run ./tools/suites vm

# Tests of chance (kills, power cuts, fights for a lock), many times each.
SOAKMINUTES ?= 20
soak: soak-powercut soak-steps ## try the tests of chance many times, and generated transactions beside pacman for SOAKMINUTES (20) (root)
	RASTOS_TEST_SOAK=1 RASTOS_TEST_INTEGRATION=1 $(GO) test -count=1 -timeout 60m -v -run 'Killed|PowerLoss' ./alpm/trans
	RASTOS_TEST_SOAK=1 RASTOS_TEST_INTEGRATION=1 $(GO) test -count=1 -timeout 60m -v -run Killed ./test/tree
	RASTOS_TEST_SOAK=1 RASTOS_TEST_INTEGRATION=1 RASTOS_TEST_SOAK_MINUTES=$(SOAKMINUTES) $(GO) test -count=1 -timeout 24h -v -run Soak ./test/differential

soak-powercut: test-root ## cut the power of a machine's disks a thousand times while it changes, and of a virtual machine's (root)
	RASTOS_TEST_INTEGRATION=1 RASTOS_TEST_FIGURES=$(CURDIR)/build/figures $(GO) test -count=1 -timeout 60m -v -run PowerCutFigures ./test/tree
	RASTOS_TEST_INTEGRATION=1 RASTOS_TEST_SOAK=1 $(GO) test -count=1 -timeout 60m -v -run PowerCuts ./test/machine

soak-steps: host-tools ## end every story of nodes and deployments after each single effect, and its recovery, too (root)
	RASTOS_TEST_SOAK=1 RASTOS_TEST_INTEGRATION=1 $(GO) test -count=1 -timeout 60m -v -run 'Cut|Kill' ./internal/node ./internal/flow

# What tests of machines start from: the binaries, the repository, and a kernel
# and boot loader unpacked from it.
test-root: build repo
	@if [ ! build/test-root -nt build/repo/demo/demo.db.tar.gz ]; then \
		rm -rf build/test-root && mkdir -p build/test-root.new && \
		for p in build/repo/demo/linux-[0-9]*.pkg.tar.zst build/repo/demo/systemd-boot-efi-[0-9]*.pkg.tar.zst; do \
			bsdtar -x -f "$$p" -C build/test-root.new || exit 1; \
		done && touch build/test-root.new && mv build/test-root.new build/test-root; \
	fi

conformance: build ## run pacman's own test suite on rastos (root); RUN=REGEXP: only these cases
	$(GO) run ./tools/conformance -program build/rastos $(if $(RUN),-v -run '$(RUN)')

lint: ## check format, vet, staticcheck and the rules of the house
	@unformatted=$$("$$($(GO) env GOROOT)/bin/gofmt" -l .); \
	if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) test -count=1 .

# go test may say "context deadline exceeded" when the time is up in the middle
# of an input (golang.org/issue/75804); a real finding names its failing input.
fuzz: ## fuzz every decoder for FUZZTIME (10s) each
	@for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
		for f in $$(grep -ho '^func Fuzz[A-Za-z0-9_]*' $$dir/*_test.go | cut -c6-); do \
			echo "== $$dir $$f"; \
			out=$$($(GO) test -run='^$$' -fuzz="^$$f\$$" -fuzztime=$(FUZZTIME) -fuzzminimizetime=100x $$dir 2>&1) && continue; \
			case $$out in \
			*"Failing input"*) ;; \
			*"context deadline exceeded"*) continue ;; \
			esac; \
			echo "$$out"; exit 1; \
		done; \
	done

bench: bench-packages bench-databases bench-nodes ## run all benchmarks (root)

SET ?= bench

bench-packages: host-tools build bench-repo ## measure installs, upgrades, -Qkk and repo-add against pacman (root; SET=demo: the small set)
	CGO_ENABLED=0 $(GO) run -trimpath -ldflags '-s -w' ./bench/packages -set $(SET)

FROM ?=

bench-databases: host-tools build ## measure questions to databases against pacman (root; FROM=DIR: databases that are there)
	CGO_ENABLED=0 $(GO) run -trimpath ./bench/databases -rastos build/rastos $(if $(FROM),-from $(FROM))

bench-nodes: host-tools build ## measure branch, deploy, rollback and diff of a system of 100,000 files (root)
	RASTOS_TEST_INTEGRATION=1 RASTOS_TEST_FIGURES=$(CURDIR)/build/figures $(GO) test -count=1 -v -run '^TestFigures$$' ./test/tree

# About 370 packages of Debian's, which take a minute or two to convert.
bench-repo: host-tools
	$(GO) run ./tools/debrepo --list profiles/$(SET).packages --out build/repo/$(SET) --name $(SET) --cache build/cache --sign

figures: ## print the figures measured so far beside their targets
	@$(GO) run ./tools/figures

demo: host-tools repo build ## build, boot, upgrade, break, fall back, roll back: in a virtual machine (root)
	$(GO) run ./tools/demo

repo: host-tools ## make a pacman repository out of Debian packages, in build/repo/demo
	$(GO) run ./tools/debrepo --list profiles/demo.packages --out build/repo/demo --name demo --cache build/cache --sign --trim --level fast

host-tools: ## install the host programs that tests, demo and benchmarks run
	@tools/hosttools/host-tools.sh

man: ## write the manual pages as roff, in build/man
	$(GO) run ./tools/man -out build/man docs/man

clean: ## remove build/
	rm -rf build
