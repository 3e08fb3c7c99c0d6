#!/usr/bin/env bash
# What is measured of recognizing, in order; README.md has the commands for learning and for networks. Tables on
# standard output, progress on standard error.
#
#   BEHOLDER_TEST_IMAGES=FOLDER BEHOLDER_PEERS_PYTHON=PEERS/bin/python benchmarks/run_all.sh PYTHON [FIGURES]
#
# PYTHON is the interpreter of the environment in which Beholder is installed. FIGURES, when given, is a new folder for
# the same figures as JSON. Ends with status 1 when something does not hold.
set -uo pipefail

python=${1:?the interpreter of the environment in which Beholder is installed}
figures=${2:-}
here=$(cd "$(dirname "$0")" && pwd)
status=0

measure() {
    local script=$1
    shift
    "$python" "$here/$script.py" "$@" ${figures:+--json "$figures/$script.json"} || status=1
}

if [ -n "$figures" ]; then mkdir -p "$figures"; fi
measure agreement
measure folder_to_labels
measure memory
measure cold_start
exit "$status"
