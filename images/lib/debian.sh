# shellcheck shell=bash source-path=SCRIPTDIR
# Debian packages for guests, from an apt of our own: same suite on every host (also Ubuntu), nothing installed,
# no root needed, and of the host's own apt only the proxy settings are read.

# shellcheck source=build.sh
. "$(dirname "${BASH_SOURCE[0]}")/build.sh"

suite=bookworm # the recipes name its packages
# The public keys of Debian 12's archive (as in Debian's own debian-archive-keyring): Ubuntu 22.04's package lacks them.
debian_keyring=$images_dir/lib/debian-bookworm.asc
apt_dir=$cache/apt/$suite

# The mirror the host itself uses for Debian, else the public one; BERTH_DEBIAN_MIRROR overrides.
debian_mirror() {
    local found=''
    if grep -qs '^ID=debian$' /etc/os-release; then
        found=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
            grep -oE '^(URIs: *|deb [^#]*)https?://[^ ]+/debian/?( |$)' | grep -oE 'https?://[^ ]+' | head -n 1) || true
    fi
    found=${BERTH_DEBIAN_MIRROR:-${found:-http://deb.debian.org/debian}}
    printf '%s' "${found%/}"
}

# The sources of the suite, one per line, as sources.list and mmdebstrap read them.
debian_sources() {
    local mirror signed="[signed-by=$debian_keyring]"
    mirror=$(debian_mirror)
    printf 'deb %s %s %s main\n' "$signed" "$mirror" "$suite" "$signed" "$mirror" "$suite-updates" \
        "$signed" "${BERTH_DEBIAN_SECURITY:-$mirror-security}" "$suite-security"
}

# Make sure our apt exists and its lists are at most a day old.
apt_prepare() {
    need_tools apt-get=apt dpkg-deb=dpkg
    mkdir -p "$apt_dir"/{lists/partial,archives/partial,debs,empty}
    : >"$apt_dir/status"
    if [ "$(debian_sources)" != "$(cat "$apt_dir/sources.list" 2>/dev/null)" ]; then
        debian_sources >"$apt_dir/sources.list"
        rm -f "$apt_dir/updated"
    fi
    # How the host reaches its mirrors (proxies, certificates) is taken over, and nothing else of its configuration.
    apt-config dump Acquire | grep -E '^Acquire::(https?::|Proxy)' >"$apt_dir/apt.conf" || true
    cat >>"$apt_dir/apt.conf" <<EOF
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Sandbox::User "";
APT::Install-Recommends "false";
Acquire::Languages "none";
Dir::State "$apt_dir";
Dir::State::status "$apt_dir/status";
Dir::Cache "$apt_dir";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::sourcelist "$apt_dir/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Debug::NoLocking "true";
EOF
    [ -n "$(find "$apt_dir/updated" -mmin -1440 2>/dev/null)" ] || apt_update
}

apt_update() {
    say "reading the package lists of Debian $suite from $(debian_mirror)"
    APT_CONFIG=$apt_dir/apt.conf apt-get -qq update || die "no package lists from $(debian_mirror): is the network there?"
    touch "$apt_dir/updated"
}

# fetch_debs PACKAGE...: print the paths of exactly these packages' .deb files, downloading what is not cached.
fetch_debs() {
    download_debs "$@" || { apt_update && download_debs "$@"; } || die "can't download from $(debian_mirror): $*"
}

download_debs() {
    local names name
    # Asked in an empty directory, apt lists all of them, as: 'URI' FILE SIZE HASH
    names=$(cd "$apt_dir/empty" && APT_CONFIG=$apt_dir/apt.conf apt-get -qq --print-uris download "$@" | cut -d' ' -f2) &&
        (cd "$apt_dir/debs" && APT_CONFIG=$apt_dir/apt.conf apt-get -qq download "$@" >&2) &&
        for name in $names; do printf '%s/debs/%s\n' "$apt_dir" "$name"; done
}

# unpack DIR PACKAGE...: unpack just these packages into DIR; nothing is configured or run.
unpack() {
    local dir=$1 deb debs
    shift
    say "fetching $# packages of Debian $suite"
    debs=$(fetch_debs "$@")
    mkdir -p "$dir"
    while read -r deb; do dpkg-deb -x "$deb" "$dir"; done <<<"$debs"
}

# apt_field PACKAGE FIELD: one field of the version that would be downloaded.
apt_field() {
    APT_CONFIG=$apt_dir/apt.conf apt-cache show --no-all-versions "$1" | sed -n "s/^$2: //p" | head -n 1
}

# The package of the newest kernel for virtual machines (the meta package only depends on it).
cloud_kernel_package() {
    apt_field linux-image-cloud-amd64 Depends | grep -oE 'linux-image-[^ ,]+' | head -n 1
}

# load_from SYSROOT [OPTION] PROGRAM ARG...: run a program with the loader and the libraries of an unpacked SYSROOT. (The
# loader's usual name, in lib64, is an absolute link and would lead to the host's.)
load_from() {
    local sysroot=$1
    shift
    "$sysroot/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" --inhibit-cache \
        --library-path "$sysroot/lib/x86_64-linux-gnu:$sysroot/usr/lib/x86_64-linux-gnu" "$@"
}

# install_binary SYSROOT PROGRAM DEST: copy a program into the tree DEST, with the loader and the libraries it needs,
# all of SYSROOT.
install_binary() {
    local sysroot=$1 program=$2 dest=$3 library listing
    install -D "$sysroot/$program" "$dest/$program"
    listing=$(load_from "$sysroot" --list "$sysroot/$program") ||
        die "$program needs a library that no downloaded package has"
    while read -r library; do
        case $library in "$sysroot"/*) ;; *) die "$program would load $library from the host: add its package" ;; esac
        [ -e "$dest/${library#"$sysroot/"}" ] || install -D "$library" "$dest/${library#"$sysroot/"}"
    done < <(grep -oE '=> /[^ ]+' <<<"$listing" | cut -c4- | grep -v ld-linux)
    [ -e "$dest/lib64/ld-linux-x86-64.so.2" ] ||
        install -D "$sysroot/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" "$dest/lib64/ld-linux-x86-64.so.2"
}
