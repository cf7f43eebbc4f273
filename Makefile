# pptp-rs: `make help` lists what there is to do.
SHELL = /bin/bash
CARGO ?= cargo
PREFIX ?= /usr
DESTDIR ?=
SYSCONFDIR ?= /etc
# Where this machine's pppd looks for plugins; override with PLUGIN_DIR=… when packaging for another one.
PLUGIN_DIR ?= $(shell scripts/pppd-version.sh --plugin-dir)
TARGET = $(or $(CARGO_TARGET_DIR),target)
PLUGIN = $(TARGET)/release/libpptp_rs.so
# Always of the whole workspace: of one package alone cargo compiles anew what that uses, because its features differ.
TESTS = PPTP_RS_TESTED=--workspace $(CARGO) test --workspace --no-fail-fast
SYSTEM_TESTS = $(TESTS) --features pptp-native/namespaces,pptp-packages/trees,pptp-vm/guests --test
ENGINE_TESTS = $(TESTS) --features pptp-datapath/namespaces --test
# Guests, and pppds in namespaces, wait more than they work: two for each processor.
GUESTS = $(or $(PPTP_RS_GUESTS),$(shell echo $$(($$(nproc) * 2))))

.PHONY: help demo test test-long build plugins install uninstall install-pptp uninstall-pptp deb rpm bench fuzz sanitize ports lint setup clean
# Set-up comes before everything else, also with -j.
.NOTPARALLEL:
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup build ## real tunnels: to pptpd and to pptp-rsd in a guest, and to pptp-rsd here without PPP in the kernel
	@scripts/demo.sh
	@scripts/demo_native.sh

test: setup plugins ## unit tests, tunnels in namespaces, guests in User-Mode Linux, packages in clean Debians (at most 10 minutes)
	@# All of them, whatever fails first.
	status=0; \
	$(TESTS) || status=1; \
	scripts/package.sh all || status=1; \
	$(SYSTEM_TESTS) quick -- --test-threads $(GUESTS) || status=1; \
	exit $$status

test-long: setup plugins ## engines in namespaces, the long guests, packages built elsewhere, the address sanitizer, and each fuzz target for a minute
	@# What mostly waits leaves processors to what only computes.
	status=0 said=$$(mktemp); \
	nice -n 10 bash -c 'scripts/sanitize.sh build; scripts/fuzz.sh' > $$said 2>&1 & computing=$$!; \
	$(ENGINE_TESTS) engine -- --test-threads 4 || status=1; \
	$(CARGO) test --package pptp-rsd --features namespaces --lib || status=1; \
	scripts/package.sh all || status=1; \
	$(SYSTEM_TESTS) long -- --test-threads $(GUESTS) || status=1; \
	wait $$computing || status=1; \
	cat $$said; rm $$said; \
	scripts/sanitize.sh || status=1; \
	exit $$status

build: ## the plugin, for this machine's pppd, and all programs
	@scripts/setup.sh build
	@scripts/build.sh
	@echo "built $(PLUGIN) and the programs in $(dir $(PLUGIN))"

plugins: ## the plugin for each pppd that the guests have, and the test programs
	@scripts/build-guests.sh

install uninstall install-pptp uninstall-pptp: export DESTDIR := $(DESTDIR)
install uninstall install-pptp uninstall-pptp: export PREFIX := $(PREFIX)
install uninstall install-pptp uninstall-pptp: export SYSCONFDIR := $(SYSCONFDIR)
install uninstall install-pptp uninstall-pptp: export PLUGIN_DIR := $(PLUGIN_DIR)
install uninstall install-pptp uninstall-pptp: export TARGET := $(TARGET)

install: ## copy all that was built to its place (DESTDIR, PREFIX, SYSCONFDIR, PLUGIN_DIR)
	@scripts/install.sh install

uninstall: ## remove it again; changed files in /etc stay
	@scripts/install.sh uninstall

install-pptp: ## the command "pptp" as well, in place of pptp-linux's
	@scripts/install.sh install-pptp

uninstall-pptp: ## remove that
	@scripts/install.sh uninstall-pptp

deb: ## Debian packages, for each pppd whose headers are here, in target/packages
	@scripts/setup.sh packages
	@scripts/package.sh deb

rpm: ## the same as .rpm
	@scripts/setup.sh packages
	@scripts/package.sh rpm

bench: setup plugins ## how long connecting takes, what packets cost, and the server next to pptpd
	@status=0; for part in bench bench_native bench_server; do scripts/$$part.sh || status=1; done; exit $$status

fuzz: ## each fuzz target for a minute
	scripts/fuzz.sh

sanitize: ## the server with hostile clients, and pptp-io, with the address sanitizer
	scripts/sanitize.sh

ports: ## other processors and C libraries: compile, unit tests under qemu, tunnels with a pppd of 32 bits
	scripts/ports.sh

lint: ## formatting and clippy, warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --all-features -- -D warnings

setup: ## install what building and testing need (apt, as root)
	@scripts/setup.sh

clean: ## remove everything that was built
	$(CARGO) clean
