# shellcheck shell=bash source-path=SCRIPTDIR
# This machine's libvirt daemons: make sure they run, and stop those that we started (and only those).
#
# With systemd its sockets start them, and they stay: they are the host's. Without it (a container, a test machine)
# we start them as daemons and write down which, so that a clean-up ends exactly these.

# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

libvirt_started=${BERTH_RUN:-/run/berth}/libvirt-started # lines of: NAME PID START-TIME

# The daemon that has the QEMU driver: libvirtd, or virtqemud where libvirt is split into one daemon a driver.
libvirt_daemon() {
    local name
    PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
    for name in libvirtd virtqemud; do
        if has_systemd && ! systemctl cat "$name.service" >/dev/null 2>&1; then continue; fi
        if have "$name"; then
            printf '%s' "$name"
            return
        fi
    done
    die "neither libvirtd nor virtqemud is installed. scripts/install-deps installs it"
}

libvirt_answers() { timeout 10 virsh -q -c qemu:///system uri >/dev/null 2>&1; }

# ensure_libvirt: qemu:///system answers when this returns.
ensure_libvirt() {
    local daemon tries
    if libvirt_answers; then return; fi
    daemon=$(libvirt_daemon) || exit
    if has_systemd; then
        as_root systemctl start virtlogd.socket "$daemon.socket"
    else
        [ "$(id -u)" -eq 0 ] || die "$daemon doesn't run, and without systemd only root can start it"
        start_daemon virtlogd
        start_daemon "$daemon"
    fi
    for ((tries = 0; tries < 60; tries++)); do
        if libvirt_answers; then return; fi
        sleep 0.5
    done
    die "$daemon was started but qemu:///system doesn't answer; its log is in the journal or /var/log/libvirt"
}

# start_daemon NAME: start it as a daemon unless it runs, and write down that we did.
start_daemon() {
    local pid
    PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
    if daemon_pid "$1" >/dev/null; then return; fi
    say "starting $1"
    mkdir -p "$(dirname "$libvirt_started")"
    "$1" -d || die "$1 doesn't start"
    pid=$(daemon_pid "$1") || die "$1 ended at once"
    printf '%s %s %s\n' "$1" "$pid" "$(start_time "$pid")" >>"$libvirt_started"
}

# daemon_pid NAME: the process in its pid file, if that is alive and really it.
daemon_pid() {
    local pid
    pid=$(cat "/run/$1.pid" 2>/dev/null) && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$1" ] &&
        [ -n "$(start_time "$pid")" ] && printf '%s' "$pid"
}

# start_time PID: in ticks since boot, which tells a process from a later one with the same number. Nothing for a
# zombie: where PID 1 doesn't reap, a killed daemon stays one.
start_time() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '$1 != "Z" { print $20 }'; }

# stop_libvirt_we_started: end what ensure_libvirt started, the last first. Guests go on running.
stop_libvirt_we_started() {
    local name pid started tries
    [ -f "$libvirt_started" ] || return 0
    while read -r name pid started; do
        [ "$(start_time "$pid")" = "$started" ] || continue
        say "stopping $name ($pid)"
        kill "$pid" 2>/dev/null || continue
        # libvirtd has been seen to take 30 s.
        for ((tries = 0; tries < 350; tries++)); do
            [ "$(start_time "$pid")" = "$started" ] || continue 2
            sleep 0.1
        done
        say "$name didn't end in 35 s: killing it"
        kill -KILL "$pid" 2>/dev/null || true
    done < <(tac "$libvirt_started")
    rm -f "$libvirt_started"
}
