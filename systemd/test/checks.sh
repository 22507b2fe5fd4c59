#!/bin/bash
# The checks of run.sh, inside the systemd that it booted.
set -euo pipefail

config=/etc/poold/config.yaml

step() { printf '%6.2f s  %s\n' "$(since_start)" "$*"; }

since_start() { awk -v a="$EPOCHREALTIME" -v b="$began" 'BEGIN {print a - b}'; }

fail() {
	echo "FAIL: $*" >&2
	systemctl status --no-pager --full poold >&2 || true
	journalctl --no-pager -u poold -n 60 >&2 || true
	exit 1
}

# want TEXT COMMAND... fails unless the command prints just that.
want() {
	local want=$1 got
	shift
	got=$("$@" 2>&1) || true
	[ "$got" = "$want" ] || fail "$* printed $got, want $want"
}

# eventually TEXT COMMAND... waits until the command prints just that.
eventually() {
	local want=$1 got='' end=$((SECONDS + 15))
	shift
	while [ "$SECONDS" -lt "$end" ]; do
		got=$("$@" 2>&1) || true
		[ "$got" != "$want" ] || return 0
		sleep 0.1
	done
	fail "$* still printed $got after 15 s, want $want"
}

property() { systemctl show --value -p "$1" poold; }

field() { poold pools --json | tr -d ' \n' | grep -o "\"$1\":[^,}]*" | head -n 1 | cut -d: -f2; }

states() { poold runs --job "$1" --limit 1 --json | tr -d ' \n' | grep -o '"state":"[a-z]*"' | head -n 1 | cut -d'"' -f4; }

write_config() { # WORKERS
	cat >"$config.new" <<-EOF
		daemon: {drain_timeout: 1s, watch: {enabled: false}}
		pools:
		  default: {workers: $1}
		jobs:
		  tick:
		    schedule: "@every 1s"
		    with: {command: [/bin/true]}
		  who:
		    with: {command: [/usr/bin/id, -un], user: nobody}
		  long:
		    with: {shell: 'sleep 987 & sleep 987'}
		    stop: {after: 2s}
	EOF
	mv "$config.new" "$config"
}

# Rules of the unit, as systemd reads them.
check_unit() {
	local said
	said=$(systemd-analyze verify --man=no --recursive-errors=no /etc/systemd/system/poold.service 2>&1) ||
		fail "systemd-analyze verify: $said"
	[ -z "$said" ] || fail "systemd-analyze verify: $said"
	want notify property Type
	want on-failure property Restart
}

# A configuration that cannot be used fails the start at once, with its reason
# in the journal.
check_bad_start() {
	printf 'jobs: {x: {with: {comand: [true]}}}\n' >"$config"
	! systemctl start poold 2>/dev/null || fail "a bad configuration was started with"
	journalctl --no-pager -u poold | grep -q 'config.yaml:1:.*comand' || fail "the journal does not say what is wrong"
	systemctl stop poold # it would go on trying
	systemctl reset-failed poold 2>/dev/null || true # known no more: nothing to reset
}

check_start() {
	write_config 3
	systemctl start poold || fail "did not start"
	want active systemctl is-active poold
	want 1min property WatchdogUSec # of the running daemon: before the start it is infinity
	[ -n "$(property StatusText)" ] || fail "no STATUS"
	step "  status: $(property StatusText)"
	poold status >/dev/null || fail "poold status"
}

check_jobs() {
	eventually succeeded states tick
	poold run who --wait >/dev/null 2>&1 || fail "a run by hand failed"
	want nobody poold logs who
}

check_reload() {
	write_config 5
	systemctl reload poold || fail "a good file was refused"
	want 5 field workers
	printf 'pools: {default: {workers: many}}\n' >"$config"
	! systemctl reload poold 2>/dev/null || fail "systemctl reload said 0 for a bad file"
	want active systemctl is-active poold
	want 5 field workers
	write_config 3
	systemctl kill --kill-whom=main --signal=HUP poold
	eventually 3 field workers
	want active systemctl is-active poold
}

# A daemon that hangs is started again; one that works is left alone.
check_watchdog() {
	local was
	mkdir -p /etc/systemd/system/poold.service.d
	printf '[Service]\nWatchdogSec=2\nRestartSec=100ms\n' >/etc/systemd/system/poold.service.d/test.conf
	systemctl daemon-reload
	systemctl restart poold || fail "restart"
	was=$(property MainPID)
	sleep 5 # longer than the watchdog's patience, twice
	want "$was" property MainPID
	kill -STOP "$was"
	eventually 1 property NRestarts
	eventually active systemctl is-active poold
	[ "$(property MainPID)" != "$was" ] || fail "the hanging daemon is still there"
	eventually succeeded states tick
}

# Killed in the middle of a run: started again, the job of the dead one ended
# and its run decided.
check_crash() {
	poold run long >/dev/null
	eventually running states long
	kill -KILL "$(property MainPID)"
	eventually 2 property NRestarts
	eventually active systemctl is-active poold
	eventually failed states long
	eventually 0 jobs_left
}

jobs_left() { pgrep -c -f '^sleep 987' || true; }

check_stop() {
	poold run long >/dev/null
	eventually running states long
	[ "$(jobs_left)" -gt 0 ] || fail "the check does not find the job's processes"
	local began_stop=$SECONDS
	systemctl stop poold || fail "stop"
	[ $((SECONDS - began_stop)) -lt 15 ] || fail "stopping took $((SECONDS - began_stop)) s"
	want inactive systemctl is-active poold
	want success property Result
	want 0 jobs_left
	systemctl start poold || fail "did not start again"
	eventually failed states long
	systemctl stop poold
}

began=$EPOCHREALTIME
for check in unit bad_start start jobs reload watchdog crash stop; do
	step "$check"
	"check_$check"
done
step "all good"
