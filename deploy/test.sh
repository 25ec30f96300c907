#!/usr/bin/env bash
# npm test: sets up what is missing, then runs every check and every test. A test that would be skipped fails.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bash "$root/deploy/setup.sh" --tests || exit $?
. "$root/deploy/steps.sh"
need_root "make net namespaces and run machines and switches in the tests"
cd "$root" || exit 1
if [ "$(id -u)" -eq 0 ]; then
  exec env PATH="$root/node_modules/.bin:$PATH" node deploy/test.mjs "$@"
fi
exec sudo env PATH="$root/node_modules/.bin:$PATH" node deploy/test.mjs "$@"
