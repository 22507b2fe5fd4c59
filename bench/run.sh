#!/bin/sh
# Measures poold on this machine and writes docs/benchmarks.md. Needs Go, and
# nothing else; compares with xargs where there is one.
#
#   ./bench/run.sh          all of it, in less than five minutes
#   ./bench/run.sh -quick   smaller, in less than one (after the compiler); prints and writes nothing
set -eu
cd "$(dirname "$0")/.."
export CGO_ENABLED=0
work=.cache/bench
rm -rf "$work"
mkdir -p "$work"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
go build -ldflags "-s -w" -o "$work/poold" ./cmd/poold
go test -c -o "$work/dispatch.test" ./internal/dispatch
go build -o "$work/bench" ./bench
"$work/bench" -work "$work" "$@"
