#!/usr/bin/env bash
# Builds the micro guest image: a Debian kernel with a busybox userland that boots in about two seconds even without KVM, and the
# same userland as a root filesystem for containers. Nothing is installed; Debian packages are fetched and unpacked.
#
# By hand:  deploy/guest-image/build.sh --output /var/lib/zor/images/micro
#
# Output:   vmlinuz  initrd.img  rootfs.tar  manifest.json
# A current manifest (same sources, same package versions as apt knows, files unharmed) ends the run at once. --force builds anyway.
# Needs apt-get, dpkg and cpio; no root.
set -euo pipefail
export LC_ALL=C TZ=UTC
umask 022

say() { printf 'guest-image: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

output=/var/lib/zor/images/micro
force=no
while [ $# -gt 0 ]; do
  case $1 in
    --output) [ $# -ge 2 ] || fail "--output needs a directory"; output=$2; shift 2 ;;
    --force) force=yes; shift ;;
    *) fail "unknown argument $1; usage: build.sh [--output DIR] [--force]" ;;
  esac
done

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ "$(dpkg --print-architecture)" = amd64 ] || fail "the micro image is built for amd64 only; this machine is $(dpkg --print-architecture)"
for tool in apt-get apt-cache dpkg cpio tar sha256sum; do
  command -v "$tool" >/dev/null || fail "$tool is missing; install it with: apt-get install $tool"
done

# Programs, and the packages with the libraries they load.
packages=(busybox-static tini qemu-guest-agent bsdutils iperf3 libiperf0 libc6 libglib2.0-0 libpcre2-8-0 libudev1 libnuma1 liburing2 libssl3 libsctp1)
modules=(virtio_pci virtio_mmio virtio_net virtio_console virtio_blk button evdev)
# Loaded only where the machine has such a device: every boot would take longer.
scsi_modules=(virtio_scsi sd_mod sr_mod)
ide_modules=(ata_piix sd_mod sr_mod)
balloon_modules=(virtio_balloon)
vmxnet_modules=(vmxnet3)
panic_modules=(pvpanic-mmio)

kernel_package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '$1 == "Depends:" && $2 ~ /^linux-image-[0-9]/ { print $2; exit }')
candidates=$(apt-cache policy ${kernel_package:+"$kernel_package"} "${packages[@]}" 2>/dev/null |
  awk '/^[^ ]/ { name = $1; sub(/:$/, "", name) } $1 == "Candidate:" && $2 != "(none)" { print name "=" $2 }' | sort)
sources=$(cd "$source_dir" && find . -type f | sort | xargs sha256sum | sha256sum | cut -d' ' -f1)
versions=$(sha256sum <<<"$candidates" | cut -d' ' -f1)

is_current() {
  local manifest=$output/manifest.json name sum
  [ -f "$manifest" ] || { say "building: there is no image in $output yet"; return 1; }
  grep -q "\"sources\": \"$sources\"" "$manifest" || { say "building: its sources changed"; return 1; }
  # Without package lists apt knows no candidates: what is there stays.
  [ -z "$candidates" ] || [ -z "$kernel_package" ] || grep -q "\"versions\": \"$versions\"" "$manifest" || { say "building: Debian has newer packages"; return 1; }
  for name in vmlinuz initrd.img rootfs.tar; do
    sum=$(sha256sum "$output/$name" 2>/dev/null | cut -d' ' -f1) || true
    grep -q "\"$name\": \"${sum:-missing}\"" "$manifest" || { say "building: $name is missing or damaged"; return 1; }
  done
}

if [ "$force" = no ] && is_current; then
  say "current: $output"
  exit 0
fi
[ -n "$kernel_package" ] || fail "apt does not know linux-image-cloud-amd64; run apt-get update first"

work=$(mktemp -d "${TMPDIR:-/tmp}/guest-image.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/debs" "$work/pkg" "$work/kernel"
# apt's own download user must be able to write here, or it warns.
chmod 755 "$work" && chmod 777 "$work/debs"

say "fetching $kernel_package (kernel and virtio modules) and ${#packages[@]} packages of the userland"
(cd "$work/debs" && apt-get -qq download "$kernel_package" "${packages[@]}" >"$work/download.log" 2>&1) ||
  { cat "$work/download.log" >&2; fail "the packages could not be fetched; check the network and run apt-get update"; }

say "unpacking"
for deb in "$work"/debs/*.deb; do
  case $deb in
    */linux-image-*) dpkg -x "$deb" "$work/kernel" ;;
    *) dpkg -x "$deb" "$work/pkg" ;;
  esac
done
kernel_version=${kernel_package#linux-image-}

# Copies a program with every library it loads, as its own loader resolves them.
libraries=$work/pkg/lib/x86_64-linux-gnu:$work/pkg/usr/lib/x86_64-linux-gnu
add_program() {
  local root=$1 program=$2 listing library
  install -D -m 755 "$work/pkg$program" "$root$program"
  listing=$("$work/pkg/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" --library-path "$libraries" --list "$work/pkg$program")
  ! grep -q 'not found' <<<"$listing" || fail "$program lacks libraries: $(grep 'not found' <<<"$listing")"
  while read -r library; do
    case $library in
      "$work"/*) install -D -m 644 "$library" "$root/lib/x86_64-linux-gnu/${library##*/}" ;;
    esac
  done < <(awk '$2 == "=>" { print $3 }' <<<"$listing")
  install -D -m 755 "$work/pkg/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" "$root/lib64/ld-linux-x86-64.so.2"
}

# What machine and container share.
add_userland() {
  local root=$1 applet
  mkdir -p "$root"/{bin,sbin,etc,dev,proc,sys,run,tmp,root,var,mnt,usr/bin,usr/sbin}
  chmod 1777 "$root/tmp"
  install -m 755 "$work/pkg/bin/busybox" "$root/bin/busybox"
  while read -r applet; do ln -s busybox "$root/bin/$applet"; done < <("$work/pkg/bin/busybox" --list | grep -vx busybox)
  ln -s /proc/self/mounts "$root/etc/mtab"
  echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
  echo 'root:x:0:' >"$root/etc/group"
  printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
  install -m 644 "$source_dir/common/profile" "$root/etc/profile"
  add_program "$root" /usr/bin/iperf3
}

# Prints a module's file after those it needs.
order_of() {
  local file needed name
  file=$(find "$work/kernel/lib/modules" -name "$1.ko" | head -1)
  # Not a module of this kernel: it is built in.
  [ -n "$file" ] || return 0
  needed=$(tr '\0' '\n' <"$file" | sed -n 's/^depends=//p' | tr ',' ' ')
  for name in $needed; do order_of "$name"; done
  echo "$file"
}

say "making the machine's initial ram disk"
machine=$work/machine
add_userland "$machine"
add_program "$machine" /usr/sbin/qemu-ga
# Makes the terminals of commands.
add_program "$machine" /usr/bin/script
ln -s /bin/busybox "$machine/init"
install -D -m 644 "$source_dir/machine/inittab" "$machine/etc/inittab"
install -D -m 755 "$source_dir/machine/rcS" "$machine/etc/init.d/rcS"
install -D -m 755 "$source_dir/machine/guest-agent" "$machine/bin/guest-agent"
install -D -m 755 "$source_dir/machine/shutdown" "$machine/sbin/shutdown"
install -D -m 755 "$source_dir/machine/power-button" "$machine/etc/acpi/PWRF/00000080"
mkdir -p "$machine/lib/modules"
add_modules() {
  local list=$1 module
  shift
  for module; do order_of "$module"; done | awk '!seen[$0]++' | while read -r file; do
    install -m 644 "$file" "$machine/lib/modules/"
    echo "${file##*/}"
  done >"$machine/lib/modules/$list"
}
add_modules order "${modules[@]}"
add_modules order-scsi "${scsi_modules[@]}"
add_modules order-ide "${ide_modules[@]}"
add_modules order-balloon "${balloon_modules[@]}"
add_modules order-vmxnet "${vmxnet_modules[@]}"
add_modules order-panic "${panic_modules[@]}"
[ -s "$machine/lib/modules/order" ] || fail "$kernel_package holds none of the virtio modules"

say "making the container's root filesystem"
container=$work/container
add_userland "$container"
install -D -m 755 "$source_dir/container/init" "$container/init"
install -D -m 755 "$source_dir/container/console" "$container/bin/console"
install -D -m 755 "$work/pkg/usr/bin/tini-static" "$container/sbin/tini"

say "packing"
mkdir -p "$work/out"
install -m 644 "$work/kernel/boot/vmlinuz-$kernel_version" "$work/out/vmlinuz"
find "$machine" "$container" -exec touch -h -d @0 {} +
# Not compressed: unpacking costs an emulated processor more than reading does.
(cd "$machine" && find . -mindepth 1 | sort | cpio --quiet -o -H newc --owner=0:0 --reproducible) >"$work/out/initrd.img"
tar -C "$container" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 --format=gnu -cf "$work/out/rootfs.tar" .
{
  printf '{\n  "sources": "%s",\n  "versions": "%s",\n  "kernel": "%s",\n  "packages": [\n' "$sources" "$versions" "$kernel_version"
  sed 's/.*/    "&",/; $s/,$//' <<<"$candidates"
  printf '  ],\n  "files": {\n'
  (cd "$work/out" && sha256sum vmlinuz initrd.img rootfs.tar) | awk '{ print "    \"" $2 "\": \"" $1 "\"" (NR < 3 ? "," : "") }'
  printf '  }\n}\n'
} >"$work/manifest.json"

# The manifest goes last: an image half replaced is built again.
mkdir -p "$output"
rm -f "$output/manifest.json"
for name in vmlinuz initrd.img rootfs.tar; do
  install -m 644 "$work/out/$name" "$output/.$name.new"
  mv "$output/.$name.new" "$output/$name"
done
install -m 644 "$work/manifest.json" "$output/manifest.json"
say "done: kernel $kernel_version, initrd $(du -k "$output/initrd.img" | cut -f1) KiB, rootfs $(du -k "$output/rootfs.tar" | cut -f1) KiB in $output"
