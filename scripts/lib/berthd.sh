# shellcheck shell=bash
# Starting and stopping the daemon of the quickstart: by hand, since a packaged berthd has its systemd unit.

# ensure_berthd BERTHD STATE SOCKET BERTH: a daemon answers on the socket.
ensure_berthd() {
    local berthd=$1 state=$2 socket=$3 berth=$4
    if "$berth" --socket "$socket" host show >/dev/null 2>&1; then
        say "a daemon answers on $socket already"
        return
    fi
    mkdir -p "$(dirname "$socket")"
    setsid "$berthd" --state-dir "$state" --socket "$socket" >>"$(dirname "$socket")/berthd.log" 2>&1 </dev/null &
    echo $! >"$(dirname "$socket")/berthd.pid"
    for _ in $(seq 100); do
        "$berth" --socket "$socket" host show >/dev/null 2>&1 && return
        kill -0 "$(cat "$(dirname "$socket")/berthd.pid")" 2>/dev/null || break
        sleep 0.1
    done
    tail -5 "$(dirname "$socket")/berthd.log" >&2
    die "berthd did not come up; its log is $(dirname "$socket")/berthd.log"
}

# Stop the daemon that the quickstart started, if it runs.
stop_berthd() {
    local dir pid
    dir=$(dirname "$BERTH_SOCKET")
    [ -f "$dir/berthd.pid" ] || return 0
    pid=$(cat "$dir/berthd.pid")
    if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = berthd ]; then
        kill "$pid"
        while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    fi
    rm -f "$dir/berthd.pid" "$dir/berthd.log"
}
