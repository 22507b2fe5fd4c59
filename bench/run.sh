#!/bin/sh
# Measures poold on this machine and writes docs/benchmarks.md. Needs Go. What
# it compares with is in this module, or comes from Debian, and is left out
# where it is not installed:
#
#   apt-get install postgresql-15 redis-server gcc parallel
#
#   ./bench/run.sh              all of it, in less than 20 minutes
#   ./bench/run.sh -quick       smaller, in about two (after the compiler); prints and writes nothing
#   ./bench/run.sh -only naps   one chapter, or some with commas between; prints and writes nothing
#   ./bench/run.sh -smoke       next to nothing, to see that everything works
set -eu
cd "$(dirname "$0")/.."
export CGO_ENABLED=0
work=.cache/bench
rm -rf "$work"
mkdir -p "$work"
trap 'rm -rf "$work"' EXIT
pid=
trap '[ -z "$pid" ] || { kill "$pid"; wait "$pid"; } || :; exit 1' INT TERM
go build -ldflags "-s -w" -o "$work/poold" ./cmd/poold
go test -c -o "$work/dispatch.test" ./internal/dispatch
go test -C bench -c -o "../$work/clock.test" ./clock
go build -C bench -o "../$work/bench" .
# Not in the foreground: the shell would look at signals only after its end.
"$work/bench" -work "$work" "$@" &
pid=$!
wait "$pid"
