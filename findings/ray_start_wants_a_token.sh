#!/usr/bin/env bash
# A cluster of `ray start` refuses `ray.init(address=...)` on the same machine, once Ray has started a cluster by itself there.
#
# One would guess: `ray start --head` and then `ray.init(address="127.0.0.1:6379")` by the same user, on the same machine, belong
#   together, as in every guide; whether scripts ran there before makes no difference.
# What happens: a `ray.init()` that starts a cluster of its own leaves a token in ~/.ray/auth_token. From then on `ray start`
#   asks for it, but joining by address does not offer it: the driver is refused with a ConnectionError, although the file lies
#   there, until RAY_AUTH_MODE=token is set. In a home folder without the file the same two commands join.
# Why it matters: a pool of GPUs that worked on a fresh machine stops to be joined after somebody has tried Ray alone on it. Whoever joins
#   by address should catch the refusal and offer the token.
set -euo pipefail
folder=$(mktemp -d)
export HOME="$folder/home" RAY_USAGE_STATS_ENABLED=0 RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0
unset RAY_ADDRESS RAY_AUTH_MODE RAY_AUTH_TOKEN RAY_AUTH_TOKEN_PATH || true
mkdir -p "$HOME"
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "ray==2.60.0"
ray="$folder/venv/bin/ray" python="$folder/venv/bin/python"
stop() { pkill -9 -f "$folder/r/" || true; sleep 2; }  # not `ray stop`, which ends every cluster of the machine
trap 'stop; rm -rf "$folder"' EXIT

begin() {
    "$ray" start --head --port=6399 --num-cpus=1 --include-dashboard=false --node-ip-address=127.0.0.1 \
        --temp-dir="$folder/r" >/dev/null 2>&1
}
join() {
    timeout 120 "$python" - 2>/dev/null <<'PY' || echo "no end within two minutes"
import ray
try:
    ray.init(address="127.0.0.1:6399", log_to_driver=False, logging_level="ERROR")
    print("joined")
except Exception as error:
    names = []
    while error is not None:
        names.append(type(error).__name__)
        error = error.__cause__ or error.__context__
    print("refused:", " from ".join(names))
PY
}

"$python" -c 'import ray; print("ray", ray.__version__)'
begin
fresh=$(join)
stop
"$python" -c 'import ray; ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False); ray.shutdown()'
test -f "$HOME/.ray/auth_token" && token=there || token=missing
begin
after=$(join)
offered=$(RAY_AUTH_MODE=token join)
echo "fresh home: $fresh"
echo "after one ray.init() that started its own: token $token; $after"
echo "with RAY_AUTH_MODE=token: $offered"
[ "$fresh" = joined ] && [ "$token" = there ] && [[ "$after" == refused* ]] && [ "$offered" = joined ]
