//! A backup of a stopped server: whole or absent, and restorable.

use super::args::{Backup, GlobalArgs, Restore, Verify};
use super::backup::{restore, verify, write};
use super::error::Exit;
use super::session::Session;
use crate::config::Environment;
use crate::storage::OpenOptions;
use std::path::Path;

fn session() -> Session {
    let global = GlobalArgs {
        quiet: true,
        ..GlobalArgs::default()
    };
    Session::new(global, Environment::default())
}

fn backup(file: &Path, dir: &Path) -> Backup {
    Backup {
        file: file.to_owned(),
        data_dir: Some(dir.to_owned()),
        salvage: false,
        no_verify: false,
        force: false,
    }
}

#[tokio::test]
async fn a_stopped_servers_directory_goes_into_a_file_and_back() {
    let dir = tempfile::tempdir().unwrap();
    let (data, file, back) = (
        dir.path().join("data"),
        dir.path().join("b"),
        dir.path().join("back"),
    );
    drop(OpenOptions::new(&data).open().unwrap());
    write(&session(), backup(&file, &data)).await.unwrap();
    verify(&session(), Verify { file: file.clone() })
        .await
        .unwrap();
    let into = || Restore {
        file: file.clone(),
        data_dir: back.clone(),
        salvage: false,
    };
    restore(&session(), into()).await.unwrap();
    assert!(OpenOptions::new(&back).open().is_ok());
    // A file that is there is not replaced, and a directory that is there is not restored into.
    assert_eq!(
        write(&session(), backup(&file, &data))
            .await
            .unwrap_err()
            .exit,
        Exit::Conflict
    );
    assert!(restore(&session(), into()).await.is_err());
}

#[tokio::test]
async fn what_cannot_be_backed_up_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let (data, file) = (dir.path().join("data"), dir.path().join("b"));
    assert_eq!(
        write(&session(), backup(&file, &data))
            .await
            .unwrap_err()
            .exit,
        Exit::NotFound
    );
    let open = OpenOptions::new(&data).open().unwrap();
    assert_eq!(
        write(&session(), backup(&file, &data))
            .await
            .unwrap_err()
            .exit,
        Exit::Conflict
    );
    drop(open);
    let names: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["data"]);
    std::fs::write(&file, "no backup").unwrap();
    assert_eq!(
        verify(&session(), Verify { file }).await.unwrap_err().exit,
        Exit::Failed
    );
}
