//! Only one `lab` at a time starts or stops the stack of a state directory.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use lab::process::{Identity, Signal, find_by_state_dir};
use lab::project;
use tempfile::TempDir;

const ROUNDS: u64 = 8;

fn spawn(directory: &Path, arguments: &[&str]) -> Child {
    Command::new(project::programs().unwrap().join("lab"))
        .args(arguments)
        .arg("--state-dir")
        .arg(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn up(directory: &Path) -> Child {
    spawn(directory, &["up", "--only", "redis", "--free-ports"])
}

fn down(directory: &Path) {
    let output = spawn(directory, &["down"]).wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn identity(child: &Child) -> Option<Identity> {
    Identity::of(child.id().cast_signed())
}

/// A directory with the absolute path that processes have in their environment.
fn directory() -> (TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap();
    (directory, path)
}

#[test]
fn one_of_several_simultaneous_starts_owns_the_stack() {
    let (_guard, directory) = directory();
    for round in 0..ROUNDS {
        // In every second round, the starts must first clean up after a killed one: the state has a dead owner.
        if round % 2 == 1 {
            let mut killed = up(&directory);
            std::thread::sleep(Duration::from_millis(50 * round));
            killed.kill().unwrap();
            killed.wait().unwrap();
        }
        let starts: Vec<Child> = (0..4).map(|_| up(&directory)).collect();
        let pids: Vec<u32> = starts.iter().map(Child::id).collect();
        let outputs = starts.into_iter().map(|start| start.wait_with_output().unwrap());
        let (mut owners, mut later) = (0, 0);
        for output in outputs {
            let (text, error) = (String::from_utf8_lossy(&output.stdout), stderr(&output));
            if output.status.success() {
                if text.contains("Already running") {
                    later += 1;
                } else {
                    owners += 1;
                }
            } else {
                let names_owner = pids.iter().any(|pid| error.contains(&format!("(pid {pid})")));
                assert!(error.contains("owns the stack in") && names_owner, "{error}");
            }
        }
        // A killed start may have completed before. Then the others find the stack running.
        let was_complete = round % 2 == 1 && owners == 0 && later > 0;
        assert!(
            owners == 1 || was_complete,
            "round {round}: {owners} started, {later} found it"
        );
        assert_eq!(find_by_state_dir(&directory).len(), 1, "round {round}");
        down(&directory);
        assert!(find_by_state_dir(&directory).is_empty());
    }
}

#[test]
fn down_during_a_start_stops_the_stack_and_the_start() {
    let (_guard, directory) = directory();
    for round in 0..ROUNDS {
        let start = up(&directory);
        std::thread::sleep(Duration::from_millis(30 * round));
        down(&directory);
        let output = start.wait_with_output().unwrap();
        // A start that began after `down` runs normally.
        assert_eq!(
            find_by_state_dir(&directory).len(),
            usize::from(output.status.success() && directory.join("state.json").exists()),
            "round {round}: {}",
            stderr(&output)
        );
        down(&directory);
        assert!(find_by_state_dir(&directory).is_empty());
        assert!(!directory.join("state.json").exists());
    }
}

#[test]
fn lock_of_a_killed_owner_is_free() {
    let (_guard, directory) = directory();
    let mut foreground = spawn(
        &directory,
        &["up", "--only", "redis", "--free-ports", "--until-stdin-closes"],
    );
    let owner = identity(&foreground).unwrap();
    while find_by_state_dir(&directory).is_empty() {
        std::thread::sleep(Duration::from_millis(10));
        assert!(owner.is_alive());
    }
    let refused = up(&directory).wait_with_output().unwrap();
    assert!(
        stderr(&refused).contains(&format!("(pid {})", owner.pid)),
        "{}",
        stderr(&refused)
    );

    owner.signal(Signal::KILL).unwrap();
    foreground.wait().unwrap();
    let next = up(&directory).wait_with_output().unwrap();
    assert!(next.status.success(), "{}", stderr(&next));
    assert_eq!(
        find_by_state_dir(&directory).len(),
        1,
        "the servers of the killed owner are stopped"
    );
    down(&directory);
}

#[test]
fn simultaneous_downs_all_succeed() {
    let (_guard, directory) = directory();
    let start = up(&directory).wait_with_output().unwrap();
    assert!(start.status.success(), "{}", stderr(&start));
    let downs: Vec<Child> = (0..3).map(|_| spawn(&directory, &["down"])).collect();
    for stop in downs {
        let output = stop.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
    }
    assert!(find_by_state_dir(&directory).is_empty());
}
