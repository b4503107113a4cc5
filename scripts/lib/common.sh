# shellcheck shell=bash
# What every script of Berth says and asks the same way. Source it; it changes nothing by itself.

# Tell the person what is being done (stdout is kept for results).
say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# Stop, with one message that says what is wrong and what would be right.
die() {
    printf '%s: error: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# need_tools TOOL=PACKAGE...: stop unless every TOOL is there, naming the packages that bring the missing ones.
# `=PACKAGE` may be left out when it has the tool's name. Tools in sbin count even when PATH of a plain user lacks it.
need_tools() {
    local pair missing=()
    PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
    for pair; do have "${pair%%=*}" || missing+=("${pair%%=*} (package ${pair#*=})"); done
    [ ${#missing[@]} -eq 0 ] || die "missing: $(join ', ' "${missing[@]}"). scripts/install-deps installs them"
}

# join SEPARATOR WORD...
join() {
    local separator=$1 out=${2-}
    shift $(($# < 2 ? $# : 2))
    while [ $# -gt 0 ]; do
        out+=$separator$1
        shift
    done
    printf '%s' "$out"
}

# Run a command as root: as it is for root, else by sudo.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif have sudo; then
        sudo -- "$@"
    else
        die "this needs root and there is no sudo: run as root: $*"
    fi
}

# The directory for what can be made again: downloads and built images.
berth_cache() {
    if [ -n "${BERTH_CACHE:-}" ]; then
        printf '%s' "$BERTH_CACHE"
    elif [ -n "${XDG_CACHE_HOME:-}" ]; then
        printf '%s/berth' "$XDG_CACHE_HOME"
    elif [ "$(id -u)" -eq 0 ]; then
        printf '/var/cache/berth'
    else
        printf '%s/.cache/berth' "${HOME:?neither BERTH_CACHE, XDG_CACHE_HOME nor HOME is set}"
    fi
}

# Is systemd in charge of this machine (not merely installed)?
has_systemd() { [ -d /run/systemd/system ]; }
