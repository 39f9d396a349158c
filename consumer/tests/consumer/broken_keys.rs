//! A key or a count that another program has broken: nothing is counted, the error names it, and after the repair each vote
//! is counted once.

use std::collections::BTreeMap;
use std::time::Duration;

use consumer::tally::Tally;
use redis::AsyncCommands;
use tallies::RedisServer;

use crate::applied_offset::{Script, counted, votes};
use crate::commands::{reconcile, run};
use crate::environment::{TestEnvironment, wait_for};
use crate::votes::{expected, mixed, send};

/// Where an error must say that the problem is, and the commands that cause it. The broken key was renamed before.
struct Case {
    key: &'static str,
    /// The text in the error besides the key.
    names: &'static str,
    break_it: &'static [&'static str],
}

const fn case(key: &'static str, names: &'static str, break_it: &'static [&'static str]) -> Case {
    Case { key, names, break_it }
}

/// The key `{votes}:seen:<id>` of the vote with the id 9, which no other vote has.
const SEEN: &str = "{votes}:seen:00000000-0000-0000-0000-000000000009";

const TYPES: [Case; 12] = [
    case(
        "{votes}:total",
        "is a list, not a string",
        &["RPUSH", "{votes}:total", "1"],
    ),
    case(
        "{votes}:band",
        "is a string, not a hash",
        &["SET", "{votes}:band", "1"],
    ),
    case(
        "{votes}:album",
        "is a set, not a hash",
        &["SADD", "{votes}:album", "1"],
    ),
    case(
        "{votes}:route",
        "is a string, not a hash",
        &["SET", "{votes}:route", "1"],
    ),
    case(
        "{votes}:band:top",
        "is a set, not a zset",
        &["SADD", "{votes}:band:top", "1"],
    ),
    case(
        "{votes}:album:top",
        "is a string, not a zset",
        &["SET", "{votes}:album:top", "1"],
    ),
    case(
        "{votes}:offsets",
        "is a string, not a hash",
        &["SET", "{votes}:offsets", "1"],
    ),
    case(
        "{votes}:dead_letters",
        "is a string, not a hash",
        &["SET", "{votes}:dead_letters", "1"],
    ),
    case(
        "{votes}:topic",
        "is a hash, not a string",
        &["HSET", "{votes}:topic", "a", "1"],
    ),
    case(
        "{votes}:top_state",
        "is a string, not a hash",
        &["SET", "{votes}:top_state", "1"],
    ),
    case(SEEN, "is a list, not a string", &["RPUSH", SEEN, "1"]),
    case(
        "{votes}:total",
        "is \"foo\", not an integer",
        &["SET", "{votes}:total", "foo"],
    ),
];

/// The second vote of the second batch is for this band.
const BAND: &str = "Alux Nahual";

/// Everything in Redis except for `broken`.
async fn contents(environment: &TestEnvironment, broken: &str) -> BTreeMap<String, Vec<u8>> {
    let mut redis = environment.redis.clone();
    let keys: Vec<String> = redis.keys("*").await.unwrap();
    let mut contents = BTreeMap::new();
    for key in keys.into_iter().filter(|key| key != broken) {
        let value: Vec<u8> = redis::cmd("DUMP")
            .arg(&key)
            .query_async(&mut redis)
            .await
            .unwrap();
        contents.insert(key, value);
    }
    contents
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_key_counts_nothing_and_after_its_repair_each_vote_counts_once() {
    for case in TYPES {
        let environment = TestEnvironment::new("broken_key").await;
        let script = Script::new(&environment).await;
        let first = votes(0, &[Some(1), None, Some(2)]);
        assert_eq!(script.count(None, 3, &first).await, counted(&[]));
        let saved = format!("{}:saved", case.key);
        let mut redis = environment.redis.clone();
        let _: Result<(), _> = redis.rename(case.key, &saved).await;
        environment.redis_command(case.break_it).await;

        let second = votes(3, &[None, Some(9), None, Some(8)]);
        let before = contents(&environment, "").await;
        for _ in 0..3 {
            let error = script
                .try_count(Some(3), 7, &second)
                .await
                .unwrap_err()
                .to_string();
            for text in ["BROKENKEY", case.key, case.names] {
                assert!(error.contains(text), "{error}");
            }
        }
        assert_eq!(contents(&environment, "").await, before, "{}", case.key);

        let _: () = redis.del(case.key).await.unwrap();
        let _: Result<(), _> = redis.rename(&saved, case.key).await;
        assert_eq!(
            script.count(Some(3), 7, &second).await,
            counted(&[]),
            "{}",
            case.key
        );
        let all = first.iter().chain(&second).map(|vote| &vote.event);
        assert_eq!(environment.tallies().await, expected(all), "{}", case.key);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_count_counts_nothing_and_after_its_repair_each_vote_counts_once() {
    let environment = TestEnvironment::new("broken_field").await;
    let script = Script::new(&environment).await;
    let first = votes(0, &[Some(1), None, Some(2), None, None, None, None, None]);
    assert_eq!(script.count(None, 8, &first).await, counted(&[]));
    let second = votes(8, &[None, Some(9), None, Some(8), None, None, None, None]);
    let band = second[0].event.vote.name.as_str().to_owned();
    let album = format!("{band} - {}", second[0].event.vote.album.as_str());
    let route = second[0].event.route.as_str().to_owned();
    let fields = [
        ("{votes}:band", band.as_str()),
        ("{votes}:album", album.as_str()),
        ("{votes}:route", route.as_str()),
        ("{votes}:offsets", "3"),
    ];
    let mut redis = environment.redis.clone();
    for (key, field) in fields {
        let sound: Option<String> = redis.hget(key, field).await.unwrap();
        // The largest number that Redis can increment only once more is also out of range.
        for value in [
            "foo",
            "",
            "1.5",
            " 1",
            "007",
            "+1",
            "-0",
            "1e3",
            "9223372036854775807",
            "9007199254740992",
        ] {
            let _: () = redis.hset(key, field, value).await.unwrap();
            let before = contents(&environment, "").await;
            let error = script
                .try_count(Some(8), 16, &second)
                .await
                .unwrap_err()
                .to_string();
            for text in ["BROKENKEY", key, field, value] {
                assert!(error.contains(text), "{value}: {error}");
            }
            assert_eq!(contents(&environment, "").await, before, "{key} {value}");
        }
        match sound {
            Some(sound) => redis.hset::<_, _, _, ()>(key, field, sound).await.unwrap(),
            None => redis.hdel::<_, _, ()>(key, field).await.unwrap(),
        }
    }
    assert_eq!(script.count(Some(8), 16, &second).await, counted(&[]));
    let all = first.iter().chain(&second).map(|vote| &vote.event);
    assert_eq!(environment.tallies().await, expected(all));
}

#[tokio::test(flavor = "multi_thread")]
async fn count_that_would_leave_the_range_counts_nothing() {
    let environment = TestEnvironment::new("range").await;
    let script = Script::new(&environment).await;
    let some = votes(0, &[None, None]);
    let mut redis = environment.redis.clone();
    let _: () = redis.set("{votes}:total", (1_u64 << 53) - 2).await.unwrap();
    let before = contents(&environment, "").await;
    let error = script.try_count(None, 2, &some).await.unwrap_err().to_string();
    assert!(
        error.contains("{votes}:total") && error.contains("9007199254740992"),
        "{error}"
    );
    assert_eq!(contents(&environment, "").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_that_rejects_writes_changes_nothing() {
    let environment = TestEnvironment::new("rejects").await;
    let script = Script::new(&environment).await;
    let first = votes(0, &[Some(1), None]);
    assert_eq!(script.count(None, 2, &first).await, counted(&[]));
    let second = votes(2, &[Some(1), None, Some(2)]);
    let before = contents(&environment, "").await;
    let states: [(&[&str], &[&str], &str); 2] = [
        (
            &["CONFIG", "SET", "maxmemory", "1"],
            &["CONFIG", "SET", "maxmemory", "512mb"],
            "OOM",
        ),
        (
            &["REPLICAOF", "127.0.0.1", "1"],
            &["REPLICAOF", "NO", "ONE"],
            "replica",
        ),
    ];
    for (reject, accept, text) in states {
        environment.redis_command(reject).await;
        let error = script
            .try_count(Some(2), 5, &second)
            .await
            .unwrap_err()
            .to_string();
        let progress = script.tally.applied_offsets(&[3]).await;
        environment.redis_command(accept).await;
        assert!(error.contains(text), "{error}");
        assert_eq!(progress.unwrap().offsets, [Some(2)], "reading works: {text}");
        assert_eq!(contents(&environment, "").await, before, "{text}");
    }
    script.count(Some(2), 5, &second).await;
    let all = first.iter().chain(&second).map(|vote| &vote.event);
    assert_eq!(environment.tallies().await, expected(all));
}

/// A command that the user may not run would fail in the middle of the script.
#[tokio::test(flavor = "multi_thread")]
async fn user_without_a_permission_changes_nothing() {
    let environment = TestEnvironment::new("permission").await;
    let script = Script::new(&environment).await;
    let some = votes(0, &[Some(1), None]);
    let before = contents(&environment, "").await;
    for command in ["set", "hset", "hdel", "zadd", "zremrangebyrank"] {
        let forbidden = format!("-{command}");
        let user = [
            "ACL",
            "SETUSER",
            "limited",
            "reset",
            "on",
            ">secret",
            "~*",
            "+@all",
            forbidden.as_str(),
        ];
        environment.redis_command(&user).await;
        let url = environment
            .stack
            .endpoints()
            .redis
            .replace("redis://", "redis://limited:secret@");
        let limited = Script {
            tally: Tally::new(RedisServer::at(&url).unwrap(), Duration::from_mins(1)).unwrap(),
            topic_id: script.topic_id,
        };
        let error = limited.try_count(None, 2, &some).await.unwrap_err().to_string();
        environment.redis_command(&["ACL", "DELUSER", "limited"]).await;
        let text = format!("may not run {}", command.to_uppercase());
        assert!(error.contains("NoPerm") && error.contains(&text), "{error}");
        assert_eq!(contents(&environment, "").await, before, "{command}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn consumer_waits_for_a_broken_count_until_a_rebuild_mends_it() {
    for (topic, from, broken) in [
        (
            "mend_field",
            "mongodb",
            ["HSET", "{votes}:band", BAND, "foo"].as_slice(),
        ),
        ("mend_total", "kafka", &["SET", "{votes}:total", "foo"]),
        ("mend_type", "kafka", &["SET", "{votes}:album", "foo"]),
    ] {
        let environment = TestEnvironment::new(topic).await;
        let events = mixed(&mut fastrand::Rng::with_seed(77), 3_000);
        let (before, after) = events.split_at(events.len() / 2);
        let consumer = environment.consumer(&[]);
        send(&environment.writer, before).await;
        environment.wait_until_counted(expected(before).total).await;
        environment.redis_command(broken).await;
        send(&environment.writer, after).await;
        consumer.wait_until_not_ready(broken[1]).await;
        let series = "service_check_up{check=\"redis\"}";
        assert_eq!(consumer.metric(series).await, Some(0));

        // The retries have a growing delay.
        let calls = async || {
            let info: String = redis::cmd("INFO")
                .arg("commandstats")
                .query_async(&mut environment.redis.clone())
                .await
                .unwrap();
            let scripts = info
                .lines()
                .find(|line| line.starts_with("cmdstat_evalsha"))
                .unwrap();
            scripts.split(['=', ',']).nth(1).unwrap().parse::<u64>().unwrap()
        };
        let first = calls().await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let retries = calls().await - first;
        assert!(retries < 300, "{retries} scripts in 3 s");

        let refused = run(&environment, "reconcile", &["--wait-s", "1"]);
        assert_eq!(refused.code, 2);
        assert!(
            refused.stderr.contains(broken[1]) && refused.stderr.contains("consumer rebuild"),
            "{refused:?}"
        );
        let dry = run(&environment, "rebuild", &["--from", "kafka", "--dry-run"]);
        assert_eq!(dry.code, 0);
        consumer.wait_until_not_ready(broken[1]).await;
        let rebuilt = run(&environment, "rebuild", &["--from", from]);
        assert_eq!(rebuilt.code, 0);
        assert!(rebuilt.stdout.contains(broken[1]), "{rebuilt:?}");
        consumer.wait_until_ready().await;
        wait_for("everything is counted", async || {
            environment.tallies().await == expected(&events)
        })
        .await;
        assert!(reconcile(&environment, &[]).is_reconciled());
        environment.assert_holds_exactly(&events).await;
        assert!(consumer.terminate().await.success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_applied_offset_is_mended_by_a_recount_and_a_rebuild() {
    let environment = TestEnvironment::new("mend_offset").await;
    let events = mixed(&mut fastrand::Rng::with_seed(78), 3_000);
    let (before, after) = events.split_at(events.len() / 2);
    let consumer = environment.consumer(&[]);
    send(&environment.writer, before).await;
    environment.wait_until_counted(expected(before).total).await;
    environment
        .redis_command(&["HSET", "{votes}:offsets", "2", "foo"])
        .await;
    consumer
        .wait_until_not_ready("{votes}:offsets, field \\\"2\\\"")
        .await;
    send(&environment.writer, after).await;

    environment.redis_command(&["HDEL", "{votes}:offsets", "2"]).await;
    consumer.wait_until_ready().await;
    let reconciled = reconcile(&environment, &[]);
    assert_eq!(
        reconciled.code, 1,
        "the partition was counted twice: {reconciled:?}"
    );
    assert_eq!(run(&environment, "rebuild", &["--from", "kafka"]).code, 0);
    assert!(reconcile(&environment, &[]).is_reconciled());
    environment.assert_holds_exactly(&events).await;
    assert!(consumer.terminate().await.success());
}
