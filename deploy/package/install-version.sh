#!/bin/sh
# install-version.sh: versions of Zorhub beside each other on a host, one of them current. Needs no Node, only what every Debian has.
#
#   /opt/zorhub/versions/ID/      a version as it was unpacked: programs, runtime, image, units
#   /opt/zorhub/current           the one that units and zor run: a link that is replaced in one step
#   /opt/zorhub/previous          what was current before: where a rollback goes
set -eu
umask 022
export LC_ALL=C PATH="${PATH:-/usr/bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

usage() {
  cat <<'END'
Usage: install-version.sh COMMAND

  install ARCHIVE|DIR [--no-switch]
                unpack a version, check every file, and make it current;
                what is there already is left as it is
  switch ID     make an installed version current
  rollback      make the version current that was so before
  list          installed versions: ID, marks, processes that run from it
  remove ID     remove a version that is neither current nor in use
  prune         remove all but current, previous and what is in use
  uninstall     remove versions, units and zor, once nothing runs from them;
                /etc/zor and /var/lib/zor stay

Services are not restarted: systemctl restart zor-agent, or zor-hub.

Options:
  --no-switch   install only; switch later

Environment:
  ROOT          prefix of all paths, for tests and for images of systems

Exit codes: 0 done, 1 failed, 2 bad command line, 3 refused as it is in use.

Examples:
  install-version.sh install zorhub-0.1.0-x64.tar.gz
  install-version.sh rollback && systemctl restart zor-agent
END
}

root=${ROOT:-}
base=$root/opt/zorhub
versions=$base/versions
units=$root/etc/systemd/system
launcher=$root/usr/local/bin/zor
idPattern='^[0-9A-Za-z][0-9A-Za-z.+~]*-[0-9a-f]{16}$'
partial=

say() { printf '%s\n' "$*"; }
die() {
  code=$1
  printf 'zor: %s\n' "$2" >&2
  shift 2
  for line in "$@"; do printf '     %s\n' "$line" >&2; done
  exit "$code"
}
misused() { die 2 "$1" "install-version.sh --help says more"; }

# What was begun is removed however this ends; what is complete stays.
clean_up() { [ -z "$partial" ] || rm -rf "$partial"; }
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

need_root() {
  [ -n "$root" ] || [ "$(id -u)" -eq 0 ] || die 1 "root is needed to change $base" "remedy: run the same command with sudo"
}

# One at a time: whoever comes second waits. The lock ends with this process, and is not handed on.
take_lock() {
  mkdir -p "$base" || die 1 "$base cannot be made"
  exec 9>"$base/.lock"
  flock -n 9 && return
  say "another install-version.sh is at work; waiting for it" >&2
  flock -w 900 9 || die 1 "another install-version.sh has been at work for a quarter of an hour" "see: fuser -v $base/.lock"
}

refuse_strangers() {
  for name in package.json .git node_modules dist; do
    [ ! -e "$base/$name" ] || die 1 "$base is a checkout of the sources, and versions cannot live in it" \
      "remedy: move it away; what runs from it goes on, and is started again from the new version:" \
      "  mv $base $base-checkout" \
      "then run the same command again, and: systemctl restart zor-agent, or zor-hub"
  done
  ! [ -e "$root/var/lib/dpkg/info/zorhub-common.list" ] || die 1 "Zorhub is installed here from Debian packages" \
    "remedy: upgrade those (apt-get install ./zorhub-*.deb), or remove them first: apt-get remove zorhub-common" \
    "hosts, guests and settings stay: they are in /var/lib/zor and /etc/zor"
}

is_id() { printf '%s\n' "$1" | grep -Eqx "$idPattern"; }
target_of() { t=$(readlink "$base/$1" 2>/dev/null) || return 1; printf '%s\n' "${t##*/}"; }
current() { target_of current || true; }
previous() { target_of previous || true; }
installed() { ls "$versions" 2>/dev/null || true; }
need_installed() {
  is_id "$1" || die 2 "\"$1\" is no version's ID; install-version.sh list shows those that are here"
  [ -f "$versions/$1/SHA256SUMS" ] || die 1 "version $1 is not installed" "installed are: $(installed | tr '\n' ' ')"
}

# Processes that run from a version: by the program itself, or by a script of it that they were given.
users_of() {
  place=$(readlink -f "$versions/$1") || return 0
  programs=$(find /proc -mindepth 2 -maxdepth 2 -name exe -lname "$place/*" 2>/dev/null) || true
  # Searched for from standard input: the words of grep itself are no finding.
  scripts=$(printf '%s/\n' "$place" | grep -lsaF -f - /proc/[0-9]*/cmdline) || true
  for found in $programs $scripts; do
    process=${found#/proc/}
    printf '%s\n' "${process%/*}"
  done | sort -nu | while read -r process; do is_own "$process" || printf '%s\n' "$process"; done
}
# Whether a process is this script, waits for it or was begun by it: it may well have been given by a path inside a version.
is_own() { is_below $$ "$1" || is_below "$1" $$; }
is_below() {
  below=$1
  while [ "${below:-0}" -gt 1 ]; do
    [ "$below" != "$2" ] || return 0
    below=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$below/status" 2>/dev/null)
  done
  return 1
}
words() { tr '\n' ' ' | sed 's/ $//'; }

# Whether a directory holds the version ID, whole: the ID is the digest of the list of digests.
verify() {
  directory=$1
  id=$2
  [ -f "$directory/SHA256SUMS" ] || { say "it has no SHA256SUMS"; return 1; }
  digest=$(sha256sum "$directory/SHA256SUMS" | cut -c1-16)
  [ "$digest" = "${id##*-}" ] || { say "its list of files is that of another version: $digest"; return 1; }
  [ -z "$(find "$directory" ! -type f ! -type d | head -n 1)" ] || { say "it holds links or devices"; return 1; }
  [ "$(find "$directory" -type f | wc -l)" -eq $(($(wc -l <"$directory/SHA256SUMS") + 1)) ] || { say "it has not the files that it lists"; return 1; }
  damaged=$(cd "$directory" && sha256sum --quiet --strict -c SHA256SUMS 2>/dev/null) && return
  damaged=$(printf '%s\n' "$damaged" | sed 's/: FAILED.*//' | words)
  say "damaged: ${damaged:-its list of files}"
  return 1
}

check_machine() {
  arch=$(sed -n 's/^ "arch": "\(.*\)",$/\1/p' "$1/manifest.json")
  case $(uname -m) in
    x86_64) machine=x64 ;;
    aarch64) machine=arm64 ;;
    *) machine=$(uname -m) ;;
  esac
  [ "$arch" = "$machine" ] || die 1 "this version is for $arch, and this machine is $machine" "remedy: npm run package -- --arch $machine"
}

check_space() {
  needed=$(($1 / 1024 + 16384))
  free=$(df -Pk "$versions" | awk 'NR == 2 { print $4 }')
  [ "$free" -ge "$needed" ] || no_space "$((needed / 1024)) MiB are needed, $((free / 1024)) MiB are free"
}
no_space() {
  die 1 "no space for a version below $versions: $1" "nothing was changed; make room there, or remove old versions: install-version.sh prune"
}

# Puts what was unpacked into $partial in its place.
settle() {
  id=$1
  trouble=$(verify "$partial" "$id") || die 1 "version $id is not whole: $trouble" "nothing was changed; bring the archive here again"
  check_machine "$partial"
  chown -R "$(id -u):$(id -g)" "$partial"
  chmod -R u=rwX,go=rX "$partial"
  # On disk before anything leads to it; only this, and not what others have written. What is another version's too is there already.
  find "$partial" ! \( -type f -links +1 \) -exec sync {} +
  if [ -e "$versions/$id" ]; then
    say "version $id was damaged here ($damage); it is replaced"
    mv "$versions/$id" "$versions/.$id.damaged"
  fi
  mv -T "$partial" "$versions/$id"
  partial=
  rm -rf "$versions/.$id.damaged"
  sync "$versions"
}

# What an archive leaves out is what versions here have: files of the same name and digest, which two versions then share.
fill_in() {
  [ -f "$partial/SHA256SUMS" ] || return 0
  for version in "$versions"/*/; do
    [ -f "$version/SHA256SUMS" ] || continue
    awk 'NR == FNR { has[$0]; next } $0 in has { print substr($0, 67) }' "$version/SHA256SUMS" "$partial/SHA256SUMS" |
      (cd "$partial" && while IFS= read -r path; do [ -e "$path" ] || printf '%s\n' "$path"; done) |
      (cd "$version" && xargs -r -d '\n' cp -l --parents -t "$partial" --) || return 1
  done
}

unpack_archive() {
  # The whole archive is read by tar below; here only its first name is looked at.
  id=$(tar -tzf "$1" 2>/dev/null | sed -n '1{s,/.*,,;p;q}') || id=
  is_id "$id" || die 1 "$1 is no archive of Zorhub, or it is damaged"
  if is_whole "$id"; then return; fi
  # It unpacks to less than three times its size; what gzip would say of one that was cut off means nothing.
  check_space "$(($(wc -c <"$1") * 3))"
  partial=$versions/.$id.partial
  rm -rf "$partial"
  mkdir "$partial"
  tar -xzf "$1" -C "$partial" --strip-components=1 --no-same-owner 2>"$partial/.errors" || {
    errors=$(tail -n 1 "$partial/.errors")
    case $errors in *"No space left"* | *"Disk quota"*) no_space "it ended while unpacking" ;; esac
    [ "$(df -Pk "$versions" | awk 'NR == 2 { print $4 }')" -ge 1024 ] || no_space "it ended while unpacking"
    die 1 "$1 cannot be unpacked: ${errors:-it is damaged}" "nothing was changed; bring the archive here again"
  }
  rm -f "$partial/.errors"
  fill_in || die 1 "what versions here have already cannot be used for version $id" "nothing was changed; bring all of the archive here"
  settle "$id"
  say "installed version $id in $versions/$id"
}

copy_directory() {
  [ -f "$1/SHA256SUMS" ] && [ -f "$1/manifest.json" ] || die 1 "$1 is no unpacked archive of Zorhub"
  release=$(sed -n 's/^ "version": "\(.*\)",$/\1/p' "$1/manifest.json")
  id=$release-$(sha256sum "$1/SHA256SUMS" | cut -c1-16)
  is_id "$id" || die 1 "$1 is no unpacked archive of Zorhub"
  if is_whole "$id"; then return; fi
  check_space "$(($(du -sk "$1" | cut -f1) * 1024))"
  partial=$versions/.$id.partial
  rm -rf "$partial"
  cp -R "$1" "$partial" || no_space "it could not be copied"
  settle "$id"
  say "installed version $id in $versions/$id"
}

# Whether a version is here and undamaged; $damage says what is wrong with it otherwise.
is_whole() {
  damage=
  [ -e "$versions/$1" ] || return 1
  damage=$(verify "$versions/$1" "$1") || return 1
  say "version $1 is installed already"
}

link_to() {
  ln -sfn "$2" "$base/.$1.new"
  mv -Tf "$base/.$1.new" "$base/$1"
}

make_current() {
  before=$(current)
  if [ "$before" = "$1" ]; then
    say "version $1 is current already"
  else
    # The way back first: cut off between the two, nothing has been switched.
    [ -z "$before" ] || link_to previous "versions/$before"
    link_to current "versions/$1"
    sync "$base"
    say "version $1 is current${before:+; before it was $before}"
  fi
  install_units "$1"
  install_launcher
  try_runtime "$1"
}

# A unit that somebody changed is kept beside: what is changed belongs into drop-ins, which stay.
install_units() {
  mkdir -p "$units"
  fresh=
  for unit in "$versions/$1"/deploy/systemd/*.service; do
    name=${unit##*/}
    ! cmp -s "$unit" "$units/$name" || continue
    if [ -e "$units/$name" ] && ! is_ours "$name"; then
      cp -p "$units/$name" "$units/$name.saved"
      say "$units/$name was not as installed: it is kept as $name.saved; changes belong into: systemctl edit $name"
    fi
    cp "$unit" "$units/.$name.new"
    chmod 644 "$units/.$name.new"
    mv -f "$units/.$name.new" "$units/$name"
    fresh="$fresh $name"
  done
  [ -n "$fresh" ] || return 0
  say "units:$fresh"
  reload_units
}
is_ours() {
  for each in "$versions"/*/deploy/systemd/"$1"; do ! cmp -s "$each" "$units/$1" || return 0; done
  return 1
}
reload_units() {
  [ -z "$root" ] && [ -d /run/systemd/system ] || return 0
  systemctl daemon-reload || say "systemd did not read its units again; do it by hand: systemctl daemon-reload"
}

install_launcher() {
  to=/opt/zorhub/current/zor
  [ "$(readlink "$launcher" 2>/dev/null)" != "$to" ] || return 0
  if [ -e "$launcher" ] && [ ! -L "$launcher" ]; then
    say "$launcher is somebody else's and stays; run $to"
    return 0
  fi
  mkdir -p "${launcher%/*}"
  ln -sfn "$to" "$launcher.new"
  mv -Tf "$launcher.new" "$launcher"
  say "$launcher runs the current version"
}

try_runtime() {
  trouble=$("$versions/$1/node_modules/.bin/node" --version 2>&1 >/dev/null) && return 0
  say "it does not run here yet: $(printf '%s\n' "${trouble:-its Node ends at once}" | head -n 1)"
  case $trouble in
    *libatomic*) say "remedy: apt-get install libatomic1" ;;
    *"ermission denied"*) say "remedy: mount $base without noexec" ;;
  esac
}

install_version() {
  source=$1
  [ -e "$source" ] || die 1 "there is no $source"
  need_root
  refuse_strangers
  take_lock
  mkdir -p "$versions"
  # What was cut off before; nobody else is at work.
  rm -rf "$versions"/.*.partial "$versions"/.*.damaged
  if [ -d "$source" ]; then copy_directory "${source%/}"; else unpack_archive "$source"; fi
  [ "$2" = no ] || make_current "$id"
}

roll_back() {
  before=$(previous)
  [ -n "$before" ] && [ "$before" != "$(current)" ] || die 1 "there is no version to go back to"
  need_installed "$before"
  make_current "$before"
}

list_versions() {
  now=$(current)
  before=$(previous)
  for id in $(installed); do
    marks=
    [ "$id" != "$before" ] || marks=previous
    [ "$id" != "$now" ] || marks=current
    pids=$(users_of "$id" | words | tr ' ' ',')
    printf '%s\t%s\t%s\n' "$id" "${marks:--}" "${pids:--}"
  done
}

# Removes a version; under a name that is no version's first, so that nothing is half a version.
drop() {
  mv "$versions/$1" "$versions/.$1.partial"
  rm -rf "$versions/.$1.partial"
  [ "$(previous)" != "$1" ] || rm -f "$base/previous"
  say "removed version $1"
}

remove_version() {
  [ "$1" != "$(current)" ] || die 3 "version $1 is current" "remedy: switch to another one first"
  pids=$(users_of "$1" | words)
  [ -z "$pids" ] || die 3 "version $1 is in use by processes $pids" \
    "consoles, relays and cables of guests go on from the version that started them; see: ps -fp $(printf '%s' "$pids" | tr ' ' ',')"
  drop "$1"
}

prune_versions() {
  now=$(current)
  before=$(previous)
  for id in $(installed); do
    if [ "$id" = "$now" ] || [ "$id" = "$before" ]; then continue; fi
    pids=$(users_of "$id" | words)
    if [ -n "$pids" ]; then say "version $id stays: it is in use by processes $pids"; else drop "$id"; fi
  done
}

uninstall() {
  for id in $(installed); do
    pids=$(users_of "$id" | words)
    [ -z "$pids" ] || die 3 "version $id is in use by processes $pids" "remedy: end agent, hub and guests first"
  done
  for unit in "$versions"/*/deploy/systemd/*.service; do
    name=${unit##*/}
    [ -e "$units/$name" ] && is_ours "$name" || continue
    if [ -z "$root" ] && [ -d /run/systemd/system ]; then systemctl disable --quiet "$name" 2>/dev/null || true; fi
    rm -f "$units/$name"
    say "removed $units/$name"
  done
  reload_units
  [ "$(readlink "$launcher" 2>/dev/null)" != /opt/zorhub/current/zor ] || { rm -f "$launcher"; say "removed $launcher"; }
  rm -rf "$base/current" "$base/previous" "$versions" "$base/.lock"
  rmdir "$base" 2>/dev/null || say "$base stays: it holds something else"
  say "Zorhub is not installed any more; /etc/zor and /var/lib/zor are as they were"
}

command=${1-}
[ $# -eq 0 ] || shift
switch=yes
operand=
for argument in "$@"; do
  case $argument in
    -h | --help) command=--help ;;
    --no-switch) [ "$command" = install ] || misused "--no-switch is for install"; switch=no ;;
    -*) misused "unknown option $argument" ;;
    *) [ -z "$operand" ] || misused "one argument is enough"; operand=$argument ;;
  esac
done
case $command in
  install | switch | remove) [ -n "$operand" ] || misused "$command needs an argument" ;;
  rollback | list | prune | uninstall) [ -z "$operand" ] || misused "$command takes no argument" ;;
esac
case $command in
  install) install_version "$operand" "$switch" ;;
  switch) need_root; refuse_strangers; take_lock; need_installed "$operand"; make_current "$operand" ;;
  rollback) need_root; refuse_strangers; take_lock; roll_back ;;
  list) list_versions ;;
  remove) need_root; take_lock; need_installed "$operand"; remove_version "$operand" ;;
  prune) need_root; take_lock; prune_versions ;;
  uninstall) need_root; refuse_strangers; take_lock; uninstall ;;
  -h | --help | help) usage ;;
  "") usage >&2; exit 2 ;;
  *) misused "there is no command $command" ;;
esac
