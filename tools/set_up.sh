#!/bin/sh
# Create or renew .venv; `make` calls this when the stamp .venv/.complete is out of date.
# PYTHON: interpreters to try, in this order.  UV_TORCH_BACKEND (cpu, cu126, ...): take
# torch from PyTorch's own index, in the locked version; its files have other hashes.
set -u
stamp=.venv/.complete
bin=.venv/bin
export VIRTUAL_ENV="$PWD/.venv"

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

create() {
    find_python
    echo "Creating the environment .venv with $("$python" --version)"
    "$python" -m venv --clear .venv || stop "$python could not create .venv.
On Debian and Ubuntu the module venv is a package of its own; install it, try again:
    sudo apt install python3-venv"
}

install() {
    $bin/python -m pip install --quiet --retries 1 'uv>=0.9,<1' || return
    if [ -n "${UV_TORCH_BACKEND-}" ]; then
        $bin/uv pip install --no-verify-hashes -c requirements.txt -e '.[dev]'
    else
        unset UV_TORCH_BACKEND  # uv takes an empty name for a wrong one
        $bin/uv pip install --require-hashes -r requirements.txt &&
            $bin/uv pip install --no-deps --no-build-isolation -e .
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

# JupyterLab asks at its first start whether it may fetch news: no.
mkdir -p .venv/etc/jupyter/labconfig
echo '{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true}}' \
    > .venv/etc/jupyter/labconfig/page_config.json
touch $stamp
