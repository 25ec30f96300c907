#!/usr/bin/env bash
# npm start: sets up what is missing, brings the demo fleet up and opens the terminal interface. Without a terminal that can
# draw on standard input and output it prints the proof and the fleet, and leaves the fleet running.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bash "$root/deploy/setup.sh" || exit $?
. "$root/deploy/steps.sh"
demo="${ZOR_DEMO:-demo}"
need_root "make the demo's net namespaces and start its agents"
if [ "$(id -u)" -eq 0 ]; then
  "$root/zor" demo up || exit $?
else
  sudo --preserve-env=ZOR_DEMO,ZOR_CONFIG,XDG_CONFIG_HOME,XDG_STATE_HOME "$root/zor" demo up || exit $?
fi
if [ -t 0 ] && draws; then
  ZOR_CONTEXT="$demo" exec "$root/zor" tui
fi
