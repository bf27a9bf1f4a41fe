#!/bin/sh
# Measures a demo beside other servers, with the load driver in $BENCH (its run.sh), on
# the disk of $BENCH_SCRATCH. Without BENCH it says so and is done.
#
#   BENCH=../shared/bench BENCH_SCRATCH=/var/tmp/scratch scripts/bench.sh postfix-dovecot postfix-dovecot-mdbox
set -eu
[ -n "${BENCH:-}" ] || { echo "BENCH names no load driver: servers are not compared"; exit 0; }
: "${BENCH_SCRATCH:?name a scratch directory on the disk to measure}"
mkdir -p "$BENCH_SCRATCH"
dir=$(mktemp -d "$BENCH_SCRATCH/sampul.XXXXXX")
scripts/benchserver.sh "$dir/data" "${BASE_PORT:-24000}" >"$dir/env" &
server=$!
trap 'kill $server 2>/dev/null; rm -rf "$dir"' EXIT INT TERM
while [ ! -s "$dir/env" ]; do kill -0 $server && sleep 0.2; done
env $(cat "$dir/env") "$BENCH/run.sh" "$@"
