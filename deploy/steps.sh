# Shared by setup.sh, start.sh and test.sh: numbered steps, logged commands with progress, root through sudo.
# Sourced by bash with `root` set to the checkout.

state="$root/.zor"
log="${ZOR_SETUP_LOG:-$state/log/$(basename "$0" .sh)-$(date +%Y%m%d-%H%M%S).log}"
# Commands under way, pids by name: see begin_logged.
declare -A children=()

# npm puts node_modules/.bin first on PATH, but set-up replaces node_modules: use the system's Node and npm.
clean_path=""
IFS=: read -ra path_parts <<<"$PATH"
for part in "${path_parts[@]}"; do
  case "$part" in */node_modules/.bin | */node-gyp-bin | "") ;; *) clean_path="$clean_path${clean_path:+:}$part" ;; esac
done
export PATH="$clean_path:/usr/sbin:/sbin"

# Whether standard output is a terminal on which a line can be written over.
draws() { [ -t 1 ] && case "${TERM:-dumb}" in dumb* | unknown) false ;; esac; }

say() { printf '%s\n' "$*"; }

# Ends with a message that says what to do, and where the log is.
die() {
  printf 'zor: %s\n' "$1" >&2
  shift
  for line in "$@"; do printf '     %s\n' "$line" >&2; done
  [ -s "$log" ] && printf '     log: %s\n' "$log" >&2
  exit 1
}

# The last lines of the log, indented.
tail_log() { tail -n "${1:-15}" "$log" | cut -c1-200 | sed 's/^/     | /' >&2; }

end_children() {
  for name in "${!children[@]}"; do kill -TERM "${children[$name]}" 2>/dev/null; done
}
stop_children() {
  printf '\nzor: interrupted; run the same command again to go on\n' >&2
  exit 130
}
trap stop_children INT TERM
trap end_children EXIT

# begin_logged NAME COMMAND...: starts a command beside whatever follows; its output goes to a log of its own until end_logged.
begin_logged() {
  local name="$1"
  shift
  mkdir -p "$(dirname "$log")"
  printf '\n### %s\n' "$*" >"$log.$name"
  "$@" >>"$log.$name" 2>&1 </dev/null 9>&- &
  children[$name]=$!
  began[$name]=$SECONDS
}
declare -A began=()

# end_logged NAME LABEL: waits for it with a sign of life on the screen. Returns the command's exit code.
end_logged() {
  local name="$1" label="$2" code=0 shown=0 since
  local pid="${children[$name]}"
  while kill -0 "$pid" 2>/dev/null; do
    sleep 0.2
    since=$((SECONDS - began[$name]))
    if draws; then
      printf '\r\033[K      %s ... %d s' "$label" "$since"
    elif [ "$since" -ge $((shown + 10)) ]; then
      shown=$since
      printf '      %s ... %d s\n' "$label" "$shown"
    fi
  done
  wait "$pid" || code=$?
  unset "children[$name]"
  cat "$log.$name" >>"$log"
  rm -f "$log.$name"
  draws && printf '\r\033[K'
  if [ "$code" -eq 0 ]; then say "      $label: done in $((SECONDS - began[$name])) s"; fi
  return "$code"
}

# run_logged LABEL COMMAND...: output goes to the log, a sign of life to the screen. Returns the command's exit code.
run_logged() {
  local label="$1"
  shift
  begin_logged run "$@"
  end_logged run "$label"
}

# Makes sure that as_root will work; $1 says what root is needed for.
need_root() {
  [ "$(id -u)" -eq 0 ] && return
  if ! command -v sudo >/dev/null; then
    die "root is needed to $1, and there is no sudo on this machine" \
      "remedy: run the same command as root, or as root: apt-get install sudo, and allow this user to use it"
  fi
  say "      root is needed to $1; using sudo"
  if ! sudo -n true 2>/dev/null; then
    [ -t 0 ] || die "root is needed to $1, but sudo wants a password and there is no terminal to ask on" \
      "remedy: run 'sudo -v' first, or run the same command as root or from a terminal"
    sudo -v || die "sudo did not give root, which is needed to $1"
  fi
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo --preserve-env=PATH,DEBIAN_FRONTEND,LC_ALL "$@"; fi
}
