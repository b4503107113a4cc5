# shellcheck shell=bash source-path=SCRIPTDIR
# What the image recipes share: where things are cached, when a build is needed, how a result appears.
#
# A built image OUT has OUT.recipe beside it with the hash of all files that made it. The result is written under
# another name and renamed, so a reader never sees half an image, and a lock lets builds that start together share one.

images_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=../../scripts/lib/common.sh
. "$images_dir/../scripts/lib/common.sh"

cache=$(berth_cache)/images
qcow2_options=() # a recipe may ask for compression

# build_image RECIPE OUT [--force]: call `recipe_build WORKDIR RAW`, which the recipe defines, unless OUT is current.
build_image() {
    local recipe=$1 out=${2:-} force=${3:-} hash
    case $out in '' | -*) die "usage: images/$recipe/build OUT.qcow2 [--force]" ;; esac
    need_tools flock=util-linux sha256sum=coreutils
    hash=$(recipe_hash "$recipe")
    if [ "$force" != --force ] && is_current "$out" "$hash"; then
        say "$out is up to date"
        return
    fi
    mkdir -p "$cache" "$(dirname "$out")"
    exec 9>"$cache/.lock"
    flock 9
    if [ "$force" != --force ] && is_current "$out" "$hash"; then
        say "$out is up to date (another build made it)"
        return
    fi
    work=$(mktemp -d "${TMPDIR:-/tmp}/berth-$recipe.XXXXXX")
    new=$out.new
    trap 'rm -rf "$work" "$new"' EXIT
    recipe_build "$work" "$work/disk.raw"
    say "writing $out"
    qemu-img convert -O qcow2 "${qcow2_options[@]}" "$work/disk.raw" "$new"
    sync "$new"
    rm -f "$out.recipe"
    mv "$new" "$out"
    printf '%s\n' "$hash" >"$out.recipe"
    say "made $out ($(du -h "$out" | cut -f1))"
}

is_current() { [ -s "$1" ] && [ "$(cat "$1.recipe" 2>/dev/null)" = "$2" ]; }

# The hash over names, modes and contents of all that a recipe is made of.
recipe_hash() {
    (
        cd "$images_dir" || exit
        find "$1" lib -type f ! -name '*.md' -printf '%m %p\n' | LC_ALL=C sort |
            while read -r mode file; do printf '%s %s %s\n' "$mode" "$file" "$(sha256sum <"$file")"; done
    ) | sha256sum | cut -d' ' -f1
}
