//! No password of a store reaches the output of a process.

use std::process::{Command, Output};

fn consumer(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_consumer"));
    command.args(arguments).env("RUST_LOG", "debug");
    command
}

fn printed(output: Output) -> String {
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

/// Each password breaks the URL in another way. The marker is a part of all of them.
#[test]
fn start_with_an_invalid_url_prints_no_part_of_a_password() {
    for password in [
        "s3cret/x",
        "x/s3cret",
        "1?s3cret=1",
        "1#s3cret",
        "@s3cret",
        "%s3cret",
    ] {
        let url = |scheme| format!("{scheme}://me:{password}@127.0.0.1:1/");
        for command in ["run", "reconcile", "rebuild", "replay-dead-letters"] {
            for (option, value) in [
                ("--mongodb-uri", url("mongodb")),
                ("--redis-url", url("redis")),
                ("--kafka-brokers", format!("me:{password}@127.0.0.1:1")),
            ] {
                let is_not_used = option == "--redis-url" && command == "replay-dead-letters";
                // Rebuilds from Kafka, and reads Redis first.
                let is_read_later = option == "--mongodb-uri" && command == "rebuild";
                if is_not_used || is_read_later {
                    continue;
                }
                let mut process = consumer(&[command, option, &value]);
                if command == "run" {
                    process.args(["--admin-addr", &lab::ports::free_address().unwrap().to_string()]);
                }
                let output = process.output().unwrap();
                assert!(!output.status.success(), "{command} {option}");
                let text = printed(output);
                assert!(!text.contains("s3cret"), "{command} {option} {password}: {text}");
            }
        }
    }
}

#[test]
fn help_shows_no_environment_variable_with_a_password() {
    for command in ["run", "reconcile", "rebuild"] {
        let output = consumer(&[command, "--help"])
            .env("MONGODB_URI", "mongodb://me:s3cret@h")
            .env("REDIS_URL", "redis://:s3cret@h")
            .output()
            .unwrap();
        let help = printed(output);
        assert!(help.contains("MONGODB_URI") && !help.contains("s3cret"), "{help}");
    }
}
