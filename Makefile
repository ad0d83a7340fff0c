# `make help` lists what there is. Everything runs as root on a Debian with apt, python3 and make; what else it
# takes is installed, and trees and images are cached in /var/cache/test-machine.

MACHINE = tests/machine/machine
VERSION = $(shell sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog)
DEB = dist/sockwake_$(VERSION)_all.deb
SOURCES = $(shell find bin debian docs sockwake systemd -type f -not -path '*/__pycache__/*')

.DEFAULT_GOAL = help
.PHONY: help setup deb demo test pure machine system bench soak clean

help: ## show this
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

setup:
	@$(MACHINE) setup

deb: setup $(DEB) ## build dist/sockwake_*_all.deb and check it with lintian

$(DEB): $(SOURCES) tests/deb
	@mkdir -p dist
	@$(MACHINE) chroot toolbox --bind $(CURDIR):/src --bind $(CURDIR)/dist:/out -- /src/tests/deb

demo: deb ## a sleeping database, from nothing: asleep, psql answers, asleep again
	@tests/demo $(DEB)

test: deb ## run every ring of tests
	@tests/run $(DEB)

pure: setup ## run the tests that need no machine
	@tests/run --pure

machine: setup ## run the tests of the test machines themselves
	@tests/run --machine

system: deb ## run the tests on a real systemd, engine and PostgreSQL
	@tests/run --system $(DEB)

bench: deb ## measure against the hand-made recipe; writes docs/bench.md
	@tests/bench/run $(DEB)

soak: deb ## aim connections at the moments of sleeping and waking, try random cases, for long, and set the clock
	@tests/run --soak $(DEB)

clean: ## remove what was built, and machines that no longer run
	rm -rf dist
	$(MACHINE) clean
