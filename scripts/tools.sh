#!/bin/sh
# Installs, once, the mail clients that tests use (Debian, as root). Elsewhere it
# lists what is missing: those tests then skip, by name. With CI=true a missing
# client is an error.
set -eu
missing=""
need() { # need COMMAND PACKAGE
	command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need swaks swaks
need mbsync isync
need curl curl
need python3 python3
need openssl openssl
PATH=$PATH:/usr/sbin:/sbin
need clamd clamav-daemon
need clamav-milter clamav-milter
need rspamd rspamd
need opendkim opendkim
need postfix postfix
need unbound unbound
need ip iproute2
need tesseract tesseract-ocr
for l in msa eng; do
	tesseract --list-langs 2>/dev/null | grep -qx $l || missing="$missing tesseract-ocr-$l"
done
need opendkim-testmsg opendkim-tools
/usr/bin/python3 -c "import dkim, authres, authheaders, dns.resolver" >/dev/null 2>&1 || missing="$missing python3-dkim python3-authres python3-nacl python3-authheaders python3-dnspython"
perl -MNet::SSLeay -e 1 >/dev/null 2>&1 || missing="$missing libnet-ssleay-perl"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
	echo "installing for tests:$missing"
	if apt-get update -qq >/dev/null 2>&1 &&
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1; then
		exit 0
	fi
	echo "could not install:$missing" >&2
fi
echo "missing, so the tests that need them skip:$missing" >&2
[ "${CI:-}" != true ] || exit 1
