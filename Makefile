# `make help` lists the targets. They run as root on a Debian with apt, python3 and make; everything else they
# need is installed, and trees and images are cached in /var/cache/test-machine.

MACHINE = tests/machine/machine
VERSION = $(shell sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog)
DEB = dist/sockwake_$(VERSION)_all.deb
SOURCES = $(shell find bin debian docs sockwake systemd -type f -not -path '*/__pycache__/*')

.DEFAULT_GOAL = help
.PHONY: help setup deb demo test pure machine system images bench soak forky picture clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

setup:
	@$(MACHINE) setup

deb: setup $(DEB) ## build dist/sockwake_*_all.deb and a repository; KEY=FILE signs it
ifdef KEY
	@$(MACHINE) chroot toolbox --bind $(CURDIR):/src --bind $(CURDIR)/dist:/out --bind $(KEY):/key -- /src/tests/repository /out /key
endif

$(DEB): $(SOURCES) tests/deb tests/repository
	@mkdir -p dist
	@$(MACHINE) chroot toolbox --bind $(CURDIR):/src --bind $(CURDIR)/dist:/out -- /src/tests/deb

demo: deb ## show a database asleep, awake for psql, and asleep again
	@tests/demo $(DEB)

test: deb ## run all tests (pure, machine, system, images)
	@tests/run $(DEB)

pure: setup ## run the tests that need no machine
	@tests/run --pure

machine: setup ## test the throw-away machines that the tests use
	@tests/run --machine

system: deb ## test the package on a real systemd, engine and PostgreSQL
	@tests/run --system $(DEB)

images: deb ## bake the examples into images of machines, and boot these
	@tests/run --images $(DEB)

bench: deb ## measure cold starts, memory and throughput; write docs/bench.md
	@tests/bench/run $(DEB)

soak: deb ## test races, random cases and a clock that is set, for long
	@tests/run --soak $(DEB)

forky: deb ## test on the next Debian
	@tests/run --forky $(DEB)

picture: ## draw docs/report.svg, of a journal that a machine has written
	@tests/picture

clean: ## remove what was built, and stopped machines
	rm -rf dist
	$(MACHINE) clean
