#!/bin/sh
# Build a wheel, install it into an empty environment, and recognize a picture with it.
#   sh scripts/check_wheel.sh [PYTHON]
set -eu
python=${1:-python3}
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$root/.venv-test/bin/python" -m build --wheel --no-isolation --outdir "$work/dist" "$root" >"$work/build.log" 2>&1 \
    || { cat "$work/build.log"; exit 1; }
"$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$work"/dist/beholder-*.whl

cd "$work"
export BEHOLDER_CACHE="$work/cache"
"$work/venv/bin/python" - <<'PY'
from PIL import Image
Image.linear_gradient("L").save("gradient.png")
PY
"$work/venv/bin/beholder" predict gradient.png --json | "$work/venv/bin/python" -c '
import json, sys
answer = json.loads(sys.stdin.readline())
assert answer["model"] == "efficientnet-lite0" and len(answer["labels"]) == 5, answer
'
"$work/venv/bin/beholder" doctor

# Without torch a network is refused in one line that says what to install.
mkdir -p set/one set/two
cp gradient.png set/one && cp gradient.png set/two
said=$("$work/venv/bin/beholder" train set --set architecture=resnet18 2>&1 | tail -1)
echo "$said"
case "$said" in *"pip install 'beholder[train]'"*) ;; *) exit 1 ;; esac

# What the environment weighs, without pip itself, must stay light.
size=$(du -sm "$work/venv/lib" | cut -f1)
pip_size=$(du -smc "$work"/venv/lib/python*/site-packages/pip* "$work"/venv/lib/python*/site-packages/setuptools* \
    "$work"/venv/lib/python*/site-packages/pkg_resources 2>/dev/null | tail -1 | cut -f1)
product=$((size - pip_size))
echo "installed size: $product MB (at most 250)"
test "$product" -le 250
