#!/bin/sh
# Sourced by the tests beside it: instances named autopkgtest-…, which are removed in the end, whatever that is.
work=$(mktemp -d)
export work HOME="$work" LC_ALL=C.UTF-8

remove() {
	for etc in /etc/sockwake/autopkgtest-*; do
		[ -d "$etc" ] || continue
		systemctl disable --quiet --now "pg-proxy@${etc##*/}.socket" || true
		systemctl stop "pg-proxy@${etc##*/}.service" "pg-postgres@${etc##*/}.service" || true
		# it asks an engine that is there what containers have of its data
		sockwake rm "${etc##*/}" --purge >/dev/null 2>&1 ||
			{ systemctl start docker.service && sockwake rm "${etc##*/}" --purge >/dev/null; } || true
	done
	for image in "docker image" "sockwake images"; do
		if [ -e "$work/web.tar" ]; then $image rm autopkgtest:1 >/dev/null 2>&1 || true; fi
	done
	rm -rf "$work"
}
trap remove EXIT

fail() {
	echo "FAIL: $*" >&2
	sockwake ls >&2 || true
	journalctl --no-pager --lines=40 --unit='pg-*' >&2 || true
	exit 1
}

# is_state NAME STATE: whether sockwake says so
is_state() {
	sockwake ls "$1" --json | grep -q "\"state\": \"$2\""
}

# reaches NAME STATE: wait for it, for a minute
reaches() {
	for _ in $(seq 240); do
		if is_state "$1" "$2"; then return; fi
		sleep 0.25
	done
	fail "$1 has not become $2 within a minute"
}

port_of() {
	sed -n 's/^PORT=//p' "/etc/sockwake/$1/instance.env"
}

# web NAME OPTION…: a web server of the host that sleeps, with a page "hello" in its data
web() {
	name=$1
	shift
	sockwake-new "$name" --kind command --exec '/usr/bin/python3 -m http.server --bind 127.0.0.1 {port}' \
		--enable "$@"
	echo hello >"/var/lib/private/sockwake/$name/page"
}

# page NAME: what its server answers, which wakes it
page() {
	curl --silent --show-error --fail --max-time 60 "http://127.0.0.1:$(port_of "$1")/page"
}
