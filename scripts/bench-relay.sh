#!/bin/bash
# Relay beside Postfix, in one run: messages of 4 KB in at one port and out to a sink on
# loopback, durable in between. smtp-source and smtp-sink of Postfix's package drive and
# take; a figure is messages by the time from the first connection to the last message
# in the sink. Postfix runs from a scratch directory with its own master.
#
#   BENCH_SCRATCH=DIR scripts/bench-relay.sh       (COUNT=10000 ROUNDS=3 CONNS="8 32 128" BASE_PORT=26000)
#
# DIR is on the disk to measure, and every user may pass through it; by default
# sampul-bench in $TMPDIR or /var/tmp. What is missing is said, and is no failure.
set -euo pipefail
for tool in postfix postconf smtp-source smtp-sink; do
	command -v "$tool" >/dev/null || { echo "$tool is missing: relay is not compared with Postfix"; exit 0; }
done
[ "$(id -u)" = 0 ] || { echo "Postfix needs root: relay is not compared"; exit 0; }
: "${BENCH_SCRATCH:=${TMPDIR:-/var/tmp}/sampul-bench}"
COUNT=${COUNT:-10000} ROUNDS=${ROUNDS:-3} CONNS=${CONNS:-"8 32 128"} BASE_PORT=${BASE_PORT:-26000}
SINK=$((BASE_PORT + 1)) PF=$((BASE_PORT + 2)) MX=$((BASE_PORT + 25))
for port in $SINK $PF $MX $((BASE_PORT + 80)) $((BASE_PORT + 143)) $((BASE_PORT + 443)) $((BASE_PORT + 465)) $((BASE_PORT + 587)) $((BASE_PORT + 993)); do
	if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
		echo "port $port is taken: give another BASE_PORT; relay is not compared" >&2
		exit 1
	fi
done
mkdir -p "$BENCH_SCRATCH"
dir=$(mktemp -d "$BENCH_SCRATCH/relay.XXXXXX")
chmod 755 "$BENCH_SCRATCH" "$dir"
ulimit -n "$(ulimit -Hn)" 2>/dev/null || true
sink=""
stop() {
	trap - EXIT INT TERM
	[ -z "$sink" ] || kill "$sink" 2>/dev/null || true
	[ -z "${sampul:-}" ] || kill "$sampul" 2>/dev/null || true
	[ ! -s "$dir/postfix/queue/pid/master.pid" ] || kill "$(tr -d ' \n' <"$dir/postfix/queue/pid/master.pid")" 2>/dev/null || true
	[ -z "${sampul:-}" ] || wait "$sampul" 2>/dev/null || true
	sleep 1
	rm -rf "$dir"
}
trap stop EXIT
trap "exit 1" INT TERM

postfix_start() {
	mkdir -p "$dir/postfix/conf" "$dir/postfix/queue/private" "$dir/postfix/data"
	chown postfix "$dir/postfix/data" "$dir/postfix/queue/private"
	cat >"$dir/postfix/conf/main.cf" <<-CONF
		compatibility_level = 3.6
		queue_directory = $dir/postfix/queue
		data_directory = $dir/postfix/data
		daemon_directory = $(postconf -h daemon_directory)
		command_directory = $(postconf -h command_directory)
		mail_owner = postfix
		setgid_group = postdrop
		maillog_file = $dir/postfix/maillog
		maillog_file_prefixes = $dir
		myhostname = mx.bench.test
		mydestination =
		inet_interfaces = 127.0.0.1
		inet_protocols = ipv4
		mynetworks = 127.0.0.0/8
		smtpd_peername_lookup = no
		smtp_dns_support_level = disabled
		relay_domains = relay.test
		relay_transport = relay:[127.0.0.1]:$SINK
		alias_maps =
		alias_database =
		smtpd_tls_security_level = none
		smtp_tls_security_level = none
		default_process_limit = 300
		in_flow_delay = 0
	CONF
	cat >"$dir/postfix/conf/master.cf" <<-CONF
		127.0.0.1:$PF inet n - n - - smtpd
		pickup unix n - n 60 1 pickup
		cleanup unix n - n - 0 cleanup
		qmgr unix n - n 300 1 qmgr
		tlsmgr unix - - n 1000? 1 tlsmgr
		rewrite unix - - n - - trivial-rewrite
		bounce unix - - n - 0 bounce
		defer unix - - n - 0 bounce
		trace unix - - n - 0 bounce
		verify unix - - n - 1 verify
		flush unix n - n 1000? 0 flush
		proxymap unix - - n - - proxymap
		proxywrite unix - - n - 1 proxymap
		smtp unix - - n - - smtp
		relay unix - - n - - smtp
		showq unix n - n - - showq
		error unix - - n - - error
		retry unix - - n - - error
		discard unix - - n - - discard
		anvil unix - - n - 1 anvil
		scache unix - - n - 1 scache
		postlog unix-dgram n - n - 1 postlogd
	CONF
	postfix -c "$dir/postfix/conf" start </dev/null >"$dir/postfix.log" 2>&1 || { cat "$dir/postfix.log" >&2; exit 1; }
}

sampul_start() {
	go build -o "$dir/sampul" ./cmd/sampul
	"$dir/sampul" demo --json --dir "$dir/data" --base-port "$BASE_PORT" --ready-file "$dir/ready" >/dev/null 2>"$dir/sampul.log" &
	sampul=$!
	while [ ! -e "$dir/ready" ]; do
		kill -0 "$sampul" 2>/dev/null || { cat "$dir/sampul.log" >&2; exit 1; }
		sleep 0.1
	done
	"$dir/sampul" agency add relay --dir "$dir/data" >/dev/null
	"$dir/sampul" domain add relay.test --agency relay --dir "$dir/data" >/dev/null
	"$dir/sampul" domain route relay.test smarthost "127.0.0.1:$SINK" --tls none --dir "$dir/data" >/dev/null
}

wait_port() { for _ in $(seq 200); do (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return; sleep 0.05; done; echo "nothing listens on $1" >&2; exit 1; }

# one NAME PORT CONNECTIONS: prints messages a second until the sink has them all
one() {
	: >"$dir/count"
	smtp-sink -u postfix -c "127.0.0.1:$SINK" 2000 >"$dir/count" 2>"$dir/sink.log" &
	sink=$!
	wait_port $SINK
	local began
	began=$(date +%s%N)
	smtp-source -s "$3" -m "$COUNT" -l 4096 -f pengirim@luar.test -t penerima@relay.test "127.0.0.1:$2" >/dev/null
	local intake=$(($(date +%s%N) - began)) got=0 tries=0
	while :; do
		got=$(tr '\r' '\n' <"$dir/count" | grep -o 'mesg=[0-9]*' | tail -n 1 | tr -dc 0-9)
		[ "${got:-0}" -lt "$COUNT" ] || break
		tries=$((tries + 1)); [ "$tries" -lt 6000 ] || { echo "$1: only ${got:-0} of $COUNT arrived" >&2; break; }
		sleep 0.02
	done
	local took=$(($(date +%s%N) - began))
	kill "$sink"; wait "$sink" 2>/dev/null || true; sink=""
	awk -v n="$COUNT" -v a="$intake" -v t="$took" 'BEGIN { printf "%.0f %.0f\n", n * 1e9 / a, n * 1e9 / t }'
}

postfix_start
sampul_start
wait_port $PF
wait_port $MX
median() { sort -n | awk '{ v[NR] = $1 } END { printf "%d (%d-%d)", v[int((NR + 1) / 2)], v[1], v[NR] }'; }
: >"$dir/results"
for round in $(seq "$ROUNDS"); do
	for c in $CONNS; do
		for s in "postfix $PF" "sampul $MX"; do
			read -r intake out <<<"$(one $s "$c")"
			echo "${s%% *} $c $intake $out" >>"$dir/results"
			echo "round $round: ${s%% *}, $c connections: $intake in, $out to the sink" >&2
		done
	done
done
echo "| relay of 4 KB, $COUNT messages | postfix | sampul | × |"
echo "|---|--:|--:|--:|"
for c in $CONNS; do
	p=$(awk -v c="$c" '$1 == "postfix" && $2 == c { print $4 }' "$dir/results" | median)
	s=$(awk -v c="$c" '$1 == "sampul" && $2 == c { print $4 }' "$dir/results" | median)
	echo "| $c connections, msg/s to the sink | $p | $s | $(awk -v a="${s%% *}" -v b="${p%% *}" 'BEGIN { printf "%.2f", a / b }') |"
done
