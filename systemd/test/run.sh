#!/bin/bash
# Tests the unit under a real systemd: boots one as PID 1 of new namespaces, on
# a copy-on-write view of this host, installs the program, the unit and a
# configuration there, and runs checks.sh inside. Nothing outside is changed.
#
#   systemd/test/run.sh bin/poold
#
# It ends with 75 where the host allows no namespaces, as in most containers.
#
# The boot goes in three steps, all by this file:
#   1. run.sh       makes a cgroup and enters new namespaces
#   2. run.sh root  in them: lays the root folder, becomes systemd
#   3. checks.sh    entered from outside once systemd says it is up
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

# What the copy does not start: it has no hardware, and some of these would
# talk to the host's kernel.
masked=(systemd-networkd systemd-resolved systemd-timesyncd getty@tty1 console-getty
	systemd-update-utmp systemd-update-utmp-runlevel systemd-logind systemd-user-sessions
	systemd-tmpfiles-setup-dev ldconfig systemd-sysusers systemd-modules-load e2scrub_reap
	systemd-journal-flush systemd-tmpfiles-clean.timer dev-hugepages.mount dev-mqueue.mount
	sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount sys-fs-fuse-connections.mount)

fail() {
	echo "systemd/test/run.sh: $*" >&2
	exit 1
}

# lay_files fills $1, the layer over the host's files.
lay_files() {
	local up=$1 unit
	mkdir -p "$up/etc/systemd/system" "$up/etc/poold" "$up/usr/local/bin" "$up/usr/local/lib/poold-test"
	for unit in "${masked[@]}"; do
		case $unit in *.*) ;; *) unit=$unit.service ;; esac
		ln -s /dev/null "$up/etc/systemd/system/$unit"
	done
	install -m 755 "$binary" "$up/usr/local/bin/poold"
	install -m 644 "$here/../poold.service" "$up/etc/systemd/system/poold.service"
	install -m 755 "$here/checks.sh" "$up/usr/local/lib/poold-test/checks.sh"
}

# lay_devices makes the few devices that programs need.
lay_devices() {
	local dev=$1 node name major minor
	mount -t tmpfs -o mode=755,nosuid tmpfs "$dev"
	for node in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
		IFS=: read -r name major minor <<<"$node"
		mknod -m 666 "$dev/$name" c "$major" "$minor"
	done
	mkdir "$dev/pts" "$dev/shm"
	mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$dev/pts"
	mount -t tmpfs -o mode=1777 tmpfs "$dev/shm"
	ln -s pts/ptmx "$dev/ptmx"
	ln -s /proc/self/fd "$dev/fd"
	for node in 0:stdin 1:stdout 2:stderr; do
		ln -s "/proc/self/fd/${node%%:*}" "$dev/${node##*:}"
	done
	touch "$dev/console"
	mount --bind "$work/console" "$dev/console"
}

# enter_root is step 2.
enter_root() {
	local root=$work/t/root path
	mount --make-rprivate /
	mount -t tmpfs -o mode=755,size=1g tmpfs "$work/t"
	mkdir "$work/t/up" "$work/t/wk" "$root"
	lay_files "$work/t/up"
	mount -t overlay overlay -o "lowerdir=/,upperdir=$work/t/up,workdir=$work/t/wk" "$root"
	rm -rf "$root"/etc/systemd/system/*.wants # what else this host starts
	rm -f "$root/etc/machine-id"
	tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
	mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
	mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys"
	mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
	lay_devices "$root/dev"
	mount -t tmpfs -o mode=755,nosuid,nodev tmpfs "$root/run"
	mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
	for path in /proc/sys/kernel /proc/sysrq-trigger; do # of the host's kernel too
		[ -e "$root$path" ] || continue
		mount --bind "$root$path" "$root$path"
		mount -o remount,bind,ro "$root$path"
	done
	ip link set lo up 2>/dev/null || true
	hostname poold-test
	mkdir "$root/run/old"
	cd "$root"
	pivot_root . run/old
	# No capability that reaches what all namespaces share, the clock above all.
	# shellcheck disable=SC2016 # nothing in it is for this shell
	exec chroot . /bin/sh -c 'umount -l /run/old && rmdir /run/old
		exec env -i container=poold-test TERM=dumb PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
			setpriv --bounding-set=-sys_time,-wake_alarm,-sys_module,-sys_rawio,-mac_admin,-mac_override,-syslog \
			/lib/systemd/systemd --system --show-status=false --unit=multi-user.target' </dev/null >>/dev/console 2>&1
}

# inside runs a command in the namespaces of PID 1.
inside() {
	nsenter -t "$pid1" --mount --uts --ipc --pid --cgroup --net env -i HOME=/root USER=root LANG=C.UTF-8 TERM=dumb \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

# until_true SECONDS COMMAND... waits for the command to succeed.
until_true() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.05
	done
}

find_pid1() {
	kill -0 "$outer" 2>/dev/null || return 0 # the caller finds that pid1 is not set
	read -r pid1 _ <"/proc/$outer/task/$outer/children" || [ -n "$pid1" ]
}

answers() {
	! kill -0 "$outer" 2>/dev/null || inside test -S /run/systemd/private 2>/dev/null
}

gone() { ! kill -0 "$outer" 2>/dev/null; }

# cleanup powers the systemd off, or kills all of it, and takes away what
# step 1 made.
cleanup() {
	local rc=$?
	trap - EXIT
	set +e
	if [ -n "$outer" ]; then
		[ -n "$pid1" ] && kill -RTMIN+4 "$pid1" 2>/dev/null # is poweroff.target
		until_true 5 gone || kill -KILL "$outer" 2>/dev/null # --kill-child ends the rest
		wait "$outer" 2>/dev/null
	fi
	if [ "$rc" != 0 ] && [ -s "$work/console" ]; then
		echo "--- console of the systemd under test" >&2
		cat "$work/console" >&2
	fi
	[ -n "$group" ] && until_true 5 remove_group
	[ "$cgroups" = "$work/cgroup" ] && umount "$cgroups"
	rm -rf --one-file-system "$work"
	exit "$rc"
}

remove_group() {
	find "$group" -depth -type d -exec rmdir {} + 2>/dev/null
	[ ! -d "$group" ]
}

boot() {
	work=$(mktemp -d) group='' outer='' pid1=''
	mkdir "$work/t"
	touch "$work/console"
	cgroups=$(awk '$3 == "cgroup2" {print $2; exit}' /proc/mounts)
	trap cleanup EXIT
	trap 'exit 130' INT TERM
	if [ -z "$cgroups" ]; then
		cgroups=$work/cgroup
		mkdir "$cgroups"
		mount -t cgroup2 none "$cgroups"
	fi
	group=$cgroups$(sed -n 's/^0:://p' /proc/self/cgroup)/poold-test-$$
	mkdir "$group"
	(
		echo "$BASHPID" >"$group/cgroup.procs" # so that its cgroup namespace begins there
		exec unshare --mount --pid --cgroup --uts --ipc --net --fork --kill-child=KILL \
			env work="$work" binary="$binary" bash "$here/run.sh" root
	) </dev/null >>"$work/console" 2>&1 &
	outer=$!
	until_true 10 find_pid1 || fail "no PID 1 came up"
	[ -n "$pid1" ] || fail "the first process of the namespaces ended at once"
	until_true 30 answers || fail "systemd did not come up"
	local state
	state=$(inside timeout 30 systemctl is-system-running --wait) || fail "systemd came up ${state:-not at all}"
}

if [ "${1:-}" = root ]; then
	enter_root
fi
[ $# = 1 ] || fail "usage: systemd/test/run.sh BINARY"
[ "$(id -u)" = 0 ] || fail "booting a systemd in namespaces needs root; run it as root, or let CI do it"
for need in unshare nsenter setpriv systemctl systemd-analyze dbus-daemon; do
	command -v "$need" >/dev/null || fail "$need is missing; apt-get install systemd dbus util-linux"
done
if ! said=$(unshare --mount --pid --cgroup --uts --ipc --net --fork true 2>&1); then
	echo "systemd/test/run.sh: this host lets root make no namespaces ($said): nothing was tested" >&2
	exit 75
fi
binary=$(realpath "$1")
boot
# A cgroup of its own, beside those of systemd: nsenter leaves one outside.
mkdir "$group/checks"
(
	echo "$BASHPID" >"$group/checks/cgroup.procs"
	inside /usr/local/lib/poold-test/checks.sh
)
