#!/bin/sh
# Starts a demo to measure: agency bench with u000@bench.test to u099@bench.test, all with
# the password "rahsia-dapur", logins without TLS. Prints the environment that the load
# driver's run.sh takes, and serves until it is killed.
#
#   scripts/benchserver.sh DIR [BASE-PORT] > env &
set -eu
dir=$1
base=${2:-20000}
bin=$(mktemp -d)/sampul
go build -o "$bin" ./cmd/sampul
"$bin" demo --json --dir "$dir" --base-port "$base" --plaintext-login --ready-file "$dir.ready" >/dev/null 2>"$dir.log" &
pid=$!
trap 'kill $pid 2>/dev/null' EXIT INT TERM
while [ ! -e "$dir.ready" ]; do kill -0 $pid && sleep 0.1; done
"$bin" agency add bench --dir "$dir" >/dev/null
"$bin" domain add bench.test --agency bench --dir "$dir" >/dev/null
for i in $(seq -w 0 99); do
	echo rahsia-dapur | "$bin" account add "u0$i@bench.test" --password-file - --dir "$dir" >/dev/null
done
echo "NAME=sampul MX=127.0.0.1:$((base + 25)) SUBMISSION=127.0.0.1:$((base + 587)) IMAP=127.0.0.1:$((base + 143)) PID=$pid PASS=rahsia-dapur"
wait $pid
