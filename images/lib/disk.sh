# shellcheck shell=bash source-path=SCRIPTDIR
# Put bootable disks together in plain files, without mounts or loop devices. The root is last so that it can grow.
#
#   sector 0      1             1 MiB                  1 MiB + boot
#   MBR + table |             | FAT: vmlinuz, initrd | ext4: the root        make_syslinux_disk
#   MBR + table | GRUB's core | ext4: the root with /boot                    make_grub_disk

# shellcheck source=build.sh
. "$(dirname "${BASH_SOURCE[0]}")/build.sh"

# shellcheck disable=SC2034 # for the recipes
syslinux_disk_tools=(sfdisk=fdisk mkfs.vfat=dosfstools mcopy=mtools syslinux mke2fs=e2fsprogs debugfs=e2fsprogs)
# shellcheck disable=SC2034
grub_disk_tools=(sfdisk=fdisk mke2fs=e2fsprogs)
syslinux_mbr=/usr/lib/syslinux/mbr/mbr.bin
export SOURCE_DATE_EPOCH=1700000000 # for mkfs.vfat and mcopy

# make_syslinux_disk RAW BOOT_DIR BOOT_MIB ROOT_DIR ROOT_MIB LABEL
make_syslinux_disk() {
    local raw=$1 boot_dir=$2 boot_mib=$3 root_dir=$4 root_mib=$5 label=$6
    [ -r "$syslinux_mbr" ] || die "missing $syslinux_mbr (package syslinux-common)"
    truncate -s "$((1 + boot_mib + root_mib))M" "$raw"
    make_table "$raw" "start=2048, size=$((boot_mib * 2048)), type=e, bootable" \
        "start=$((2048 + boot_mib * 2048)), size=$((root_mib * 2048)), type=83"
    put "$syslinux_mbr" "$raw" 440 0
    make_fat "$raw.boot" "$boot_dir" "$boot_mib"
    make_ext4 "$raw.root" "$root_dir" "$root_mib" "$label"
    put "$raw.boot" "$raw" 1M 1
    put "$raw.root" "$raw" 1M "$((1 + boot_mib))"
    rm "$raw.boot" "$raw.root"
}

# make_grub_disk RAW BOOT_IMG CORE_IMG ROOT_IMG: GRUB's two images and a finished file system.
make_grub_disk() {
    local raw=$1 boot=$2 core=$3 root=$4 size
    size=$(stat -c %s "$root")
    [ "$(stat -c %s "$core")" -le $((2047 * 512)) ] || die "GRUB's core image doesn't fit before the first partition"
    truncate -s "$((size + 1048576))" "$raw"
    make_table "$raw" "start=2048, size=$((size / 512)), type=83, bootable"
    put "$boot" "$raw" 440 0
    put "$core" "$raw" 512 1
    put "$root" "$raw" 1M 1
}

# make_table RAW PARTITION...
make_table() {
    local raw=$1
    shift
    printf '%s\n' 'label: dos' 'label-id: 0x7e57f570' "$@" | sfdisk -q "$raw"
}

# put FILE RAW UNIT AT: write FILE into RAW from AT units on; of a 440-byte MBR only the program.
put() {
    local count=()
    [ "$3" != 440 ] || count=(count=1)
    dd if="$1" of="$2" bs="$3" seek="$4" "${count[@]}" conv=notrunc,sparse status=none
}

# make_fat OUT DIR MIB: FAT16 with the files of DIR and syslinux.
make_fat() {
    truncate -s "$3M" "$1"
    mkfs.vfat -F 16 -i 7e57f570 -n BOOT "$1" >/dev/null
    MTOOLS_SKIP_CHECK=1 mcopy -i "$1" -ms "$2"/* ::
    syslinux --install "$1"
}

# make_ext4 OUT DIR MIB LABEL: all files belong to root. Fixed ids and times, so that the same input makes the same disk.
make_ext4() {
    find "$2" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
    mke2fs_from "$1" "$2" "$3" "$4"
    [ "$(id -u)" -eq 0 ] || give_to_root "$1" "$2"
}

# give_to_root IMG DIR: mke2fs has copied the files' owners, which are us.
give_to_root() {
    (cd "$2" && find . -mindepth 1 -printf 'set_inode_field "/%P" uid 0\nset_inode_field "/%P" gid 0\n') >"$1.owners"
    debugfs -w -f "$1.owners" "$1" >/dev/null 2>&1 || die "debugfs can't set the owners in $1"
    rm "$1.owners"
}

# mke2fs_from OUT DIR MIB LABEL: the file system of all our images.
mke2fs_from() {
    truncate -s "$3M" "$1"
    MKE2FS_CONFIG=$images_dir/lib/mke2fs.conf E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH mke2fs -q -t ext4 -m 0 -J size=4 \
        -L "$4" -U 7e57f570-0000-4000-8000-000000000001 \
        -E "root_owner=0:0,hash_seed=7e57f570-0000-4000-8000-000000000002,lazy_itable_init=1" -d "$2" "$1"
}
