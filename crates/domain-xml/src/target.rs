//! Names of disks in a domain: `vda` in the XML and `virtio-disk0` in QEMU are the same one.

const LETTERS: u32 = 26;

/// The target of the disk at that place, counted from 0: vda … vdz, vdaa, vdab ….
pub fn disk_target(index: u32) -> String {
    let mut letters = Vec::new();
    let mut rest = index;
    loop {
        letters.push(char::from(b'a' + u8::try_from(rest % LETTERS).unwrap_or_default()));
        if rest < LETTERS {
            break;
        }
        rest = rest / LETTERS - 1;
    }
    std::iter::once("vd")
        .map(str::to_owned)
        .chain(letters.iter().rev().map(char::to_string))
        .collect()
}

/// The target of the disk that QEMU calls `virtio-diskN`; libvirt counts N from the target. Another alias stays as
/// it is: there is nothing better to call it.
pub fn target_of_alias(alias: &str) -> String {
    alias
        .strip_prefix("virtio-disk")
        .and_then(|index| index.parse().ok())
        .map_or_else(|| alias.to_owned(), disk_target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_count_like_spreadsheet_columns() {
        let expected = [
            (0, "vda"),
            (1, "vdb"),
            (25, "vdz"),
            (26, "vdaa"),
            (51, "vdaz"),
            (52, "vdba"),
            (702, "vdaaa"),
        ];
        for (index, target) in expected {
            assert_eq!(disk_target(index), target);
            assert_eq!(target_of_alias(&format!("virtio-disk{index}")), target);
        }
        assert_eq!(target_of_alias("ua-mine"), "ua-mine");
        assert_eq!(target_of_alias("virtio-disk"), "virtio-disk");
    }
}
