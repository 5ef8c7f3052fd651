//! Hostile trees.

use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

/// Makes `depth` folders, each in the one before, with a file in the last. The path is longer than any system takes.
fn nest(top: &Path, depth: usize) {
    let mut folder = openat(CWD, top, FOLDER, Mode::empty()).unwrap();
    for _ in 0..depth {
        rustix::fs::mkdirat(&folder, "n", Mode::RWXU).unwrap();
        folder = openat(&folder, "n", FOLDER, Mode::empty()).unwrap();
    }
    openat(&folder, "file", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).unwrap();
}

/// A number for a quick test, or that of the environment for a thorough one.
fn count(name: &str, usual: u32) -> u32 {
    std::env::var(name).map_or(usual, |count| count.parse().unwrap())
}

#[test]
fn folders_deeper_than_a_path_is_long() {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    fs::create_dir(&tree).unwrap();
    nest(&tree, count("TESTHIDE_TEST_DEPTH", 3_000) as usize);
    // A name that the sweep itself would take.
    nest(dir.path(), 70);
    fs::create_dir(tree.join(".testhide-moved-1")).unwrap();
    File::create(tree.join(".testhide-moved-1/x")).unwrap();
    File::create(tree.join(".testhide-moved-2")).unwrap();
    remove(&tree).unwrap();
    assert!(!tree.exists());
    empty(dir.path()).unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn names_links_and_permissions_of_any_kind() {
    let dir = tempfile::tempdir().unwrap();
    let outside = dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("precious"), "kept").unwrap();
    let tree = dir.path().join("tree");
    let inner = tree.join("a/b");
    fs::create_dir_all(&inner).unwrap();
    for name in [&b"new\nline"[..], b"\xff\xfe", b"-rf", b" ", b"\\", b"*"] {
        fs::write(inner.join(std::ffi::OsStr::from_bytes(name)), "").unwrap();
    }
    for (link, to) in [
        ("root", Path::new("/")),
        ("up", Path::new("..")),
        ("self", Path::new("self")),
        ("outside", &outside),
        ("dangling", Path::new("/nowhere")),
    ] {
        symlink(to, inner.join(link)).unwrap();
    }
    let setuid = inner.join("setuid");
    fs::write(&setuid, "").unwrap();
    fs::set_permissions(&setuid, fs::Permissions::from_mode(0o6755)).unwrap();
    rustix::fs::mknodat(CWD, inner.join("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    for (name, mode) in [("none", 0o000), ("read", 0o400), ("enter", 0o500)] {
        let folder = inner.join(name);
        fs::create_dir_all(folder.join("x/y")).unwrap();
        fs::write(folder.join("x/file"), "").unwrap();
        for folder in [folder.join("x"), folder] {
            fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
        }
    }
    fs::set_permissions(&tree, fs::Permissions::from_mode(0o000)).unwrap();
    remove(&tree).unwrap();
    assert!(fs::symlink_metadata(&tree).is_err());
    assert_eq!(
        fs::read_to_string(outside.join("precious")).unwrap(),
        "kept"
    );
    // A link in the place of the folder is deleted itself, and is not emptied.
    symlink(&outside, &tree).unwrap();
    assert!(empty(&tree).is_err());
    remove(&tree).unwrap();
    assert!(outside.join("precious").exists());
    remove(&tree).unwrap();
}

#[test]
fn many_files_in_one_folder() {
    let count = count("TESTHIDE_TEST_FILES", 5_000);
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    for number in 0..count {
        let folder = tree.join((number / 50_000).to_string());
        if number % 50_000 == 0 {
            fs::create_dir_all(&folder).unwrap();
        }
        File::create(folder.join(number.to_string())).unwrap();
    }
    let began = std::time::Instant::now();
    remove(&tree).unwrap();
    // For who wants the figure; nothing depends on it.
    eprintln!("{count} files deleted in {:?}", began.elapsed());
    assert!(!tree.exists());
}

/// What the kernel itself holds stands for what belongs to somebody else: a mount, which root alone can make.
#[cfg(target_os = "linux")]
#[test]
fn a_mount_is_left_alone_and_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let (tree, outside) = (dir.path().join("tree"), dir.path().join("outside"));
    for folder in [&tree.join("mounted"), &tree.join("other"), &outside] {
        fs::create_dir_all(folder).unwrap();
    }
    fs::write(outside.join("precious"), "kept").unwrap();
    fs::write(tree.join("other/file"), "").unwrap();
    let mounted = std::process::Command::new("mount")
        .arg("--bind")
        .args([&outside, &tree.join("mounted")])
        .output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        eprintln!("not checked: this user may not mount");
        return;
    }
    let swept = remove(&tree);
    let unmounted = std::process::Command::new("umount")
        .arg(tree.join("mounted"))
        .status();
    assert!(unmounted.unwrap().success());
    assert_eq!(
        swept.unwrap_err().to_string(),
        "`mounted` cannot be deleted: Device or resource busy (os error 16)"
    );
    assert_eq!(
        fs::read_to_string(outside.join("precious")).unwrap(),
        "kept"
    );
    assert_eq!(fs::read_dir(&tree).unwrap().count(), 1);
}
