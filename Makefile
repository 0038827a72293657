# SPDX-License-Identifier: Apache-2.0
# Every daily command; what needs more than a line stands in tools/.
PRESET ?= dev

.DEFAULT_GOAL := help
.PHONY: help setup build test check format tidy-all headers demo down bench soak fuzz lock clean

help:  ## Show this list
	@grep -hE '^[a-z%-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/; s/%/NAME/' | expand -t 14

setup:  ## Install packages, .venv and Node packages (Debian 12)
	@tools/setup

build: setup  ## Configure and build everything (PRESET=dev, release, asan, tsan)
	@cmake --preset $(PRESET) >/dev/null
	@cmake --build --preset $(PRESET)

test:  ## Everything CI runs: checks, build, all tests, sanitizers
	@tools/test

check: setup  ## Quick checks: format, tidy, clang-tidy on changed files, headers
	@tools/test --only-checks

format:  ## Format all C++ in place
	@tools/format

tidy-all:  ## clang-tidy on every file (slow)
	@cmake --preset dev >/dev/null
	@tools/clang_tidy --all

headers:  ## Compile every header on its own
	@cmake --preset dev >/dev/null
	@cmake --build --preset dev --target all_verify_interface_header_sets

demo: build  ## Three sites on this machine, with real work on them
	@examples/demo/run

down:  ## Stop what 'make demo' started
	@examples/demo/run down

bench:  ## Run every benchmark (bench/*/run)
	@tools/setup build run bench
	@$(MAKE) --no-print-directory build PRESET=release
	@for run in bench/*/run; do echo "== $$run"; $$run || exit 1; done

bench-%:  ## Run one benchmark (bench/NAME/run)
	@tools/setup build run bench
	@$(MAKE) --no-print-directory build PRESET=release
	@bench/$*/run

soak:  ## An hour of mixed load on a server and two gateways; memory, ledger and holds are judged
	@tools/setup build run
	@$(MAKE) --no-print-directory build PRESET=release
	@bench/gateway/soak

fuzz: setup  ## Fuzz every parser under ASan, a fixed number of steps each
	@cmake --preset fuzz >/dev/null
	@cmake --build --preset fuzz --target fuzzers
	@ctest --test-dir build/fuzz --label-regex fuzz --output-on-failure --no-tests=error

lock:  ## Renew the lock files after a change of requirements*.in or package.json
	@tools/lock

clean:  ## Remove the build folders (not .venv and not ccache)
	rm -rf build
