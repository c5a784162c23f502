#!/usr/bin/env bash
# Other people's clients against a running server: Scripts/serve_clients.sh [arguments of serve_clients.py]
#
# Installs the packages, at the versions that were tried, into a Python environment of its own in .build/clients; with torch beside them the
# log-likelihoods are also compared with transformers'. Exit status 77 where the packages cannot be had.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
venv=$PWD/.build/clients
packages=('openai==3.54.0' 'lm_eval[api]==0.4.13' 'transformers==5.17.0')

if ! "$venv/bin/python" -c 'import openai, lm_eval, transformers' 2>/dev/null; then
  rm -rf "$venv"
  mkdir -p .build
  export PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_DISABLE_PIP_VERSION_CHECK=1
  python3 -m venv "$venv" && timeout 900 "$venv/bin/python" -m pip install --quiet "${packages[@]}" || {
    echo "the clients (${packages[*]}) cannot be had here"
    exit 77
  }
fi
HF_HUB_OFFLINE=1 exec "$venv/bin/python" Scripts/serve_clients.py "$@"
