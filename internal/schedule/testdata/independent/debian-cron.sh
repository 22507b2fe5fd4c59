#!/bin/bash
# debian-cron.sh writes nights.txt: what Debian's cron does on the nights on
# which clocks change. It runs the real daemon, once for each night and zone,
# with libfaketime, a minute a second. As root on Debian, with the packages cron
# and libfaketime; it takes a quarter of an hour.
set -euo pipefail
cd "$(dirname "$0")"

lib=/usr/lib/$(uname -m)-linux-gnu/faketime/libfaketime.so.1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# night ZONE START: runs cron from START, local time of the zone, for 270
# minutes. It has mounts of its own, so that nights do not see each other.
night() {
	export TZ=$1
	local began=$2 log=$3
	mount -t tmpfs none /run
	mount -t tmpfs none /var/spool/cron/crontabs
	mount -t tmpfs none /etc/cron.d
	mount --bind /dev/null /etc/crontab
	# The jobs tell the time as it is; a second of it is a minute of cron's.
	while read -r expr; do
		# shellcheck disable=SC2016 # cron's shell is to expand it
		printf '%s echo "$(date +\%%s.\%%N) %s" >>%s\n' "$expr" "$expr" "$log"
	done <night-expressions.txt | crontab -
	date +%s.%N >"$log"
	LD_PRELOAD=$lib FAKETIME="$began x60" cron -f -L 0 &
	sleep 270
	kill $!
	wait $! || true
}

if [ "${1-}" = night ]; then
	night "${@:2}"
	exit
fi

# The last minutes before each night begins are so chosen that the change lies
# in its second hour.
running=0
while read -r zone began; do
	log=$work/${zone//\//_}.${began%% *}
	: >"$log"
	unshare -m "$0" night "$zone" "@$began" "$log" 2>/dev/null &
	running=$((running + 1))
	if [ $((running % 6)) = 0 ]; then
		wait
	fi
done <night-starts.txt
wait

{
	echo "# Debian's cron $(dpkg-query -W -f '${Version}' cron), tzdata $(dpkg-query -W -f '${Version}' tzdata)."
	echo "# zone, start of the night, then for each start of a job: its minute, UTC, and its expression"
	while read -r zone began; do
		echo "night $zone $began"
		awk -v from="$(TZ=$zone date -d "$began" +%s)" '
			NR == 1 { real = $1; next }
			{ at = from + ($1 - real) * 60; $1 = strftime("%H:%M", at - at % 60, 1); print }
		' "$work/${zone//\//_}.${began%% *}"
	done <night-starts.txt
} >nights.txt
wc -l nights.txt
