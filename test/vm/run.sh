#!/bin/bash
# run.sh BIN tests poold on a clock that is set: in a virtual machine of its
# own, since a wall clock is the whole machine's. QEMU needs no KVM for it. The
# machine has Debian's kernel, poold, and one program (main.go) as its init,
# which sets the clock, watches the ledger and says what it saw.
#
# Needs qemu-system-x86_64, cpio, Go, and for the kernel either $KERNEL or
# apt-get, which downloads it once into .cache/vm. Ends with 75 where these are
# missing.
set -euo pipefail
poold=$(realpath "${1:?usage: run.sh path/to/poold}")
cd "$(dirname "$0")/../.."
cache=$PWD/.cache/vm

for need in qemu-system-x86_64 cpio go; do
	command -v "$need" >/dev/null || { echo "vm-test: $need is missing" >&2 && exit 75; }
done

# fetch_kernel puts Debian's cloud kernel, which has all that is needed built
# in, into the cache.
fetch_kernel() {
	local package
	apt-cache show linux-image-cloud-amd64 >/dev/null 2>&1 || apt-get update -q
	package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
	mkdir -p "$cache/deb"
	(cd "$cache/deb" && apt-get download -q "$package")
	dpkg-deb --fsys-tarfile "$cache"/deb/*.deb | tar -C "$cache/deb" -x --wildcards './boot/vmlinuz-*'
	mv "$cache"/deb/boot/vmlinuz-* "$cache/vmlinuz"
	rm -r "$cache/deb"
}
kernel=${KERNEL:-$cache/vmlinuz}
[ -e "$kernel" ] || fetch_kernel || { echo "vm-test: no kernel; set KERNEL=/boot/vmlinuz-…" >&2 && exit 75; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/root"/{bin,dev,etc,proc,sys,tmp,run,state}
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$work/root/init" ./test/vm
cp "$poold" "$work/root/poold"
ln "$work/root/init" "$work/root/bin/true"
echo 'root:x:0:0::/:/bin/true' >"$work/root/etc/passwd"
echo 'root:x:0:' >"$work/root/etc/group"
(cd "$work/root" && find . | cpio -o -H newc --quiet) >"$work/initrd"

timeout "${VM_TIMEOUT:-300}" qemu-system-x86_64 -accel tcg -cpu max -smp 2 -m 512 \
	-nographic -nodefaults -no-reboot -serial stdio -monitor none -net none \
	-kernel "$kernel" -initrd "$work/initrd" \
	-append "console=ttyS0 quiet panic=-1 mitigations=off nokaslr random.trust_cpu=on tsc=reliable" \
	</dev/null | tr -d '\r' | tee "$work/console"
grep -qx 'vm-test: all is well' "$work/console"
