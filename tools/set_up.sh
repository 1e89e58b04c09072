#!/bin/sh
# Create or renew .venv; `make` calls this when the stamp .venv/.complete is out of date,
# or does not hold the folder's path, which is the argument: .venv cannot be moved.
# PYTHON: interpreters to try, in this order.  UV_TORCH_BACKEND (cpu, cu126, ...): take
# torch from PyTorch's own index, in the locked version; its files have other hashes.
set -u
stamp=.venv/.complete
bin=.venv/bin
# Where packages come from is the caller's to say; where they go, and which, is not.
for name in $(env | sed -nE 's/^((PIP|UV|PYTHON)_?[A-Z0-9_]+)=.*/\1/p'); do
    case $name in
        PYTHONUTF8 | *INDEX* | *_FIND_LINKS | *_OFFLINE | *_HOST | *_PROXY | *_CERT* | \
            *_NATIVE_TLS | *_KEYRING* | *CACHE* | *_TIMEOUT | *_CONCURRENT_* | \
            *_CONFIG_FILE | UV_LINK_MODE | UV_TORCH_BACKEND) ;;
        *) unset "$name" ;;
    esac
done

stop() {
    printf '\n%s\n' "$1" >&2
    exit 1
}

find_python() {
    for python in $PYTHON; do
        "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null &&
            return
    done
    stop "Python 3.11 or newer is needed, and none was found. Tried: $PYTHON
Install it (https://www.python.org/downloads/), or say where it is:
    make lab PYTHON=/path/to/python3"
}

# PyTorch is built for these only.
check_platform() {
    "$python" -c 'import platform, sys
system, machine = platform.system(), platform.machine().lower()
version = {"Linux": platform.libc_ver()[1], "Darwin": platform.mac_ver()[0]}.get(system)
number = tuple(int(part) for part in (version or "0.0").split(".")[:2])
print(system, machine, version or "")
sys.exit(not (system == "Linux" and number >= (2, 28)
    or system == "Darwin" and machine == "arm64" and number >= (14, 0)
    or system == "Windows" and machine == "amd64"))' ||
        stop "PyTorch is not built for this machine (named above), but for Linux with
glibc 2.28 or newer, macOS 14 or newer on Apple silicon and Windows on x64.
Elsewhere open the notebooks on Binder or Colab; README.md says how."
}

create() {
    find_python
    check_platform
    echo "Creating the environment .venv with $("$python" --version)"
    "$python" -m venv --clear .venv || stop "$python could not create .venv.
On Debian and Ubuntu the module venv is a package of its own; install it, try again:
    sudo apt install python3-venv"
}

uv_install() {
    UV_CONFIG_FILE=.venv/uv.toml $bin/uv pip install --python .venv "$@"
}

# The caller's settings files, too, say where from (mirror, certificates), not where to,
# not what, nor for which system; nor does the folder that the collection was put into.
pip_settings() {
    $bin/python -m pip config list 2>/dev/null | sed -nE "s/^(global|install|download)\.\
(index-url|extra-index-url|no-index|find-links|trusted-host|proxy|cert|client-cert|timeout)\
='?([^']*)'?$/\2 \3/p" > .venv/pip.txt
    while read -r key value; do
        name=PIP_$(echo "$key" | tr a-z- A-Z_)
        eval "[ -n \"\${$name-}\" ] || export $name=\"\$(printf %b \"\$value\")\""
    done < .venv/pip.txt
    export PIP_CONFIG_FILE=/dev/null
    # uv does not read pip's settings: hand on the mirror of a university or a company.
    if [ -z "${UV_DEFAULT_INDEX-}${UV_INDEX_URL-}" ] && [ -n "${PIP_INDEX_URL-}" ]; then
        export UV_DEFAULT_INDEX="$PIP_INDEX_URL"
    fi
    [ -z "${PIP_TRUSTED_HOST-}" ] || export UV_INSECURE_HOST="$(echo $PIP_TRUSTED_HOST)"
    [ -z "${PIP_CERT-}" ] || export SSL_CERT_FILE="${SSL_CERT_FILE:-$PIP_CERT}"
    [ -z "${PIP_PROXY-}" ] || export HTTPS_PROXY="${HTTPS_PROXY:-$PIP_PROXY}"
}

uv_settings() {
    for file in "${UV_CONFIG_FILE-}" "${XDG_CONFIG_HOME:-$HOME/.config}/uv/uv.toml" \
        "${APPDATA-}/uv/uv.toml" /etc/uv/uv.toml /dev/null; do
        [ -r "$file" ] && break
    done
    "$bin/python" -c 'import json, sys, tomllib
kept = """index index-url extra-index-url index-strategy no-index find-links offline
allow-insecure-host native-tls system-certs keyring-provider cache-dir link-mode
http-proxy https-proxy no-proxy concurrent-downloads concurrent-installs""".split()
def toml(x):
    if isinstance(x, dict):
        return "{" + ", ".join(f"{k} = {toml(v)}" for k, v in x.items()) + "}"
    return f"[{str.join(chr(44), map(toml, x))}]" if isinstance(x, list) else json.dumps(x)
with open(sys.argv[1], "rb") as file:
    settings = tomllib.load(file)
for key, value in (settings | settings.pop("pip", {})).items():
    if key in kept:
        print(key, "=", toml(value))' "$file" > .venv/uv.toml
}

install() {
    pip_settings
    $bin/python -m pip download --quiet --retries 1 --no-deps --dest .venv/seed \
        'uv>=0.9,<1' &&
        $bin/python -m pip --isolated install --quiet \
            --no-index --find-links .venv/seed uv || return
    uv_settings || return
    if [ -n "${UV_TORCH_BACKEND-}" ]; then
        uv_install --no-verify-hashes -c requirements.txt -e '.[dev]'
    else
        unset UV_TORCH_BACKEND  # uv takes an empty name for a wrong one
        uv_install --require-hashes -r requirements.txt &&
            uv_install --no-deps --no-build-isolation -e .
    fi
}

# `make lab` and `make test` at once would take each other's half-made environment.
lock=.venv.lock
until mkdir $lock 2>/dev/null; do
    [ -n "${waiting-}" ] || echo "Waiting for another set-up; if there is none: rmdir $lock"
    waiting=yes
    sleep 1
done
trap 'rmdir $lock' EXIT
trap 'exit 130' INT TERM
[ -n "${waiting-}" ] && [ $stamp -nt requirements.txt ] &&
    [ $stamp -nt pyproject.toml ] && exit

# Without its stamp the environment is missing or half-finished: made anew.
[ -e $stamp ] || create
rm -f $stamp
[ -d $bin ] || bin=.venv/Scripts  # Windows
install || stop "The packages could not be installed; the reason stands above.
Often it is the network (behind a proxy, set HTTPS_PROXY) or a full disk (7 GB are
needed, 2 GB with UV_TORCH_BACKEND=cpu). Try again: what was downloaded is kept."

$bin/python -c 'import lecture_utils' || stop "The packages are installed, but they do
not start; the reason stands above. To begin anew: make clean"

# JupyterLab asks at its first start whether it may fetch news: no.
mkdir -p .venv/etc/jupyter/labconfig
echo '{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true}}' \
    > .venv/etc/jupyter/labconfig/page_config.json
# Its menus are Russian, as the texts call them; who chooses another language has it.
echo '{"@jupyterlab/translation-extension:plugin": {"locale": "ru_RU"}}' \
    > .venv/etc/jupyter/labconfig/default_setting_overrides.json
# A reader's own photo goes to the kernel as one message; 10 MB is the usual limit.
echo '{"ServerApp": {"tornado_settings": {"websocket_max_message_size": 209715200}}}' \
    > .venv/etc/jupyter/jupyter_server_config.json
echo "$1" > $stamp
