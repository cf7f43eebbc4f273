# pptp-rs: `make help` lists what there is to do.
SHELL = /bin/bash
CARGO ?= cargo
PREFIX ?= /usr
DESTDIR ?=
# Where this machine's pppd looks for plugins; override with PLUGIN_DIR=… when packaging for another one.
PLUGIN_DIR ?= $(PREFIX)/lib/pppd/$(PPPD_VERSION)
PPPD_VERSION ?= $(shell scripts/pppd-version.sh)
TARGET = $(or $(CARGO_TARGET_DIR),target)
PLUGIN = $(TARGET)/release/libpptp_rs.so
GUEST_TESTS = $(CARGO) test --package pptp-vm --features guests --test
NATIVE_TESTS = $(CARGO) test --package pptp-native --features namespaces --test
# Guests, and pppds in namespaces, wait more than they work: two for each processor.
GUESTS = $(or $(PPTP_RS_GUESTS),$(shell echo $$(($$(nproc) * 2))))

.PHONY: help demo test test-long build plugins install uninstall bench fuzz sanitize lint setup clean
# Set-up comes before everything else, also with -j.
.NOTPARALLEL:
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup build ## real tunnels: to pptpd and to pptp-rsd in a guest, and to pptp-rsd here without PPP in the kernel
	@$(CARGO) build --release --package pptp-rsd
	@scripts/demo.sh
	@scripts/demo_native.sh

test: setup plugins ## unit tests, tunnels in namespaces, guests in User-Mode Linux (at most 10 minutes)
	@# All of them, whatever fails first. Two pppd wait more than they work.
	status=0; \
	$(CARGO) test --workspace --no-fail-fast || status=1; \
	$(NATIVE_TESTS) quick -- --test-threads 4 || status=1; \
	$(GUEST_TESTS) quick -- --test-threads $(GUESTS) || status=1; \
	exit $$status

test-long: setup plugins ## engines in namespaces, the long guests, the address sanitizer, and each fuzz target for a minute
	@# What mostly waits leaves processors to what only computes.
	status=0 said=$$(mktemp); \
	nice -n 10 bash -c 'scripts/sanitize.sh build; scripts/fuzz.sh' > $$said 2>&1 & computing=$$!; \
	$(CARGO) test --package pptp-datapath --features namespaces --test engine -- --test-threads 4 || status=1; \
	$(CARGO) test --package pptp-rsd --features namespaces --lib || status=1; \
	$(NATIVE_TESTS) long -- --test-threads 4 || status=1; \
	$(GUEST_TESTS) long -- --test-threads $(GUESTS) || status=1; \
	wait $$computing || status=1; \
	cat $$said; rm $$said; \
	scripts/sanitize.sh || status=1; \
	exit $$status

build: ## the plugin, for this machine's pppd
	@scripts/setup.sh build
	$(CARGO) build --release
	@echo "built $(PLUGIN)"

plugins: ## the plugin for each pppd that the guests have, and the test programs
	@scripts/build-guests.sh

install: ## copy the built plugin to where pppd looks (DESTDIR, PREFIX, PLUGIN_DIR)
	@[ -e $(PLUGIN) ] || { echo "install: $(PLUGIN) is missing; run make build first" >&2; exit 1; }
	@[ -n "$(PPPD_VERSION)" ] || { echo "install: no pppd here; give PLUGIN_DIR=/usr/lib/pppd/VERSION" >&2; exit 1; }
	install -D -m 644 $(PLUGIN) $(DESTDIR)$(PLUGIN_DIR)/pptp-rs.so
	@# Files written for accel-pptp say "plugin pptp.so". Its own plugin, if it is here, stays.
	@[ -e $(DESTDIR)$(PLUGIN_DIR)/pptp.so ] || ln -sv pptp-rs.so $(DESTDIR)$(PLUGIN_DIR)/pptp.so

uninstall: ## remove it again
	rm -f $(DESTDIR)$(PLUGIN_DIR)/pptp-rs.so
	@[ "$$(readlink $(DESTDIR)$(PLUGIN_DIR)/pptp.so)" != pptp-rs.so ] || rm -fv $(DESTDIR)$(PLUGIN_DIR)/pptp.so

bench: setup plugins ## how long connecting takes, what packets cost, and the server next to pptpd
	@status=0; for part in bench bench_native bench_server; do scripts/$$part.sh || status=1; done; exit $$status

fuzz: ## each fuzz target for a minute
	scripts/fuzz.sh

sanitize: ## the server with hostile clients, and pptp-io, with the address sanitizer
	scripts/sanitize.sh

lint: ## formatting and clippy, warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --all-features -- -D warnings

setup: ## install what building and testing need (apt, as root)
	@scripts/setup.sh

clean: ## remove everything that was built
	$(CARGO) clean
