#!/usr/bin/env bash
# From a clean clone to the image example's results; asks nothing, and may be run again at any time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\n\033[1m%s\033[0m\n' "$1"; }

# npm leaves a copy of the lock file behind; one that is older than ours is of another state.
install() {
  if [[ ! -e $1/node_modules/.package-lock.json || $1/package-lock.json -nt $1/node_modules/.package-lock.json ]]; then
    npm ci --prefix "$1" --no-audit --no-fund --loglevel=error "${@:2}"
    # So that a lock file that was only touched is not taken for a new one again.
    touch "$1/node_modules/.package-lock.json"
  fi
}

# A server that this shell is set up for is not for trying things out: the example gets a private one.
for name in $(compgen -e); do
  case $name in
    JUGQ_NATS_SERVER) ;;
    NATS_* | JUGQ_*) unset "$name" ;;
  esac
done

say '1. jugq and a nats-server'
install .
# A build that failed leaves a main.js that cannot be run.
if [[ ! -x dist/cli/main.js || -n $(find core broker worker cli build.ts package.json tsconfig*.json -newer dist/cli/main.js -print -quit) ]]; then
  npm run --silent build
fi
npm run --silent setup

say '2. The example: which flags of the world look alike?'
# The example's jugq is this clone, which is built already.
install examples/images --ignore-scripts
cd examples/images
node_modules/.bin/jugq run jugfile.ts

say '3. What came out (jugq get jugfile.ts summary)'
node_modules/.bin/jugq get jugfile.ts summary
printf '\nLook at the clusters in a browser: '
node save-sheet.js
