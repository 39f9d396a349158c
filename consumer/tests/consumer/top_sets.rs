//! The sorted sets of the highest counts: exact after every batch, built once on an existing installation, and bounded.

use std::collections::BTreeMap;

use redis::AsyncCommands;
use tallies::{Overview, TOP_SIZE, TallyHash};
use vote::{Album, Name};

use crate::applied_offset::{Script, counted, votes};
use crate::commands::{Reconciled, reconcile, run};
use crate::environment::{TestEnvironment, wait_for};
use crate::votes::{expected, mixed, send};

/// The top set of a hash, highest count first, equal counts in reverse alphabetical order.
async fn top(environment: &TestEnvironment, hash: TallyHash) -> Vec<(String, i64)> {
    let mut redis = environment.redis.clone();
    redis.zrevrange_withscores(hash.top_key(), 0, -1).await.unwrap()
}

/// The top set that a full sort of the hash gives.
async fn sorted(environment: &TestEnvironment, hash: TallyHash) -> Vec<(String, i64)> {
    let counts: BTreeMap<String, i64> = environment.redis.clone().hgetall(hash.key()).await.unwrap();
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|(one, ones), (other, others)| (others, other.as_bytes()).cmp(&(ones, one.as_bytes())));
    counts.truncate(TOP_SIZE);
    counts
}

async fn assert_exact(environment: &TestEnvironment) {
    for hash in TallyHash::ALL {
        let (top, sorted) = (top(environment, hash).await, sorted(environment, hash).await);
        assert!(
            top == sorted,
            "{hash:?}: {} members, {} expected",
            top.len(),
            sorted.len()
        );
    }
}

/// Counts a batch of random votes: half of them for one of many bands, half for one of a few. Most counts are equal.
async fn count_random(script: &Script, random: &mut fastrand::Rng, first: i64, size: i64) {
    let mut batch = votes(first, &vec![None; usize::try_from(size).unwrap()]);
    for vote in &mut batch {
        let band = if random.bool() {
            random.u32(..4_000)
        } else {
            random.u32(..50)
        };
        vote.event.vote.name = Name::parse(format!("Band {band}")).unwrap();
        vote.event.vote.album = Album::parse(format!("Album {}", random.u8(..2))).unwrap();
        // Some are repeated, and some ids are chosen by clients.
        vote.event.id_from_client = random.u8(..4) == 0;
    }
    let applied_offset = (first > 0).then_some(first);
    assert_eq!(
        script.count(applied_offset, first + size, &batch).await,
        counted(&[])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn top_sets_equal_a_full_sort_after_every_batch() {
    let environment = TestEnvironment::new("top").await;
    let script = Script::new(&environment).await;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut offset = 0;
    for _ in 0..60 {
        let size = random.i64(1..700);
        count_random(&script, &mut random, offset, size).await;
        offset += size;
        assert_exact(&environment).await;
    }
    let bands: usize = environment.redis.clone().hlen("{votes}:band").await.unwrap();
    assert!(bands > TOP_SIZE, "{bands}");
}

/// Adds `count` bands as an earlier version of the consumer did: without the top sets.
async fn add_bands(environment: &TestEnvironment, prefix: &str, count: u32) {
    let mut redis = environment.redis.clone();
    let names: Vec<u32> = (0..count).collect();
    let mut total = 0;
    for chunk in names.chunks(1_000) {
        let mut add = redis::pipe();
        for number in chunk {
            let votes = 1 + number % 100;
            total += votes;
            add.hincr("{votes}:band", format!("{prefix} {number}"), votes)
                .ignore();
            add.hincr("{votes}:album", format!("{prefix} {number} - Album"), votes)
                .ignore();
        }
        let _: () = add.query_async(&mut redis).await.unwrap();
    }
    let _: i64 = redis.incr("{votes}:total", total).await.unwrap();
    let _: i64 = redis.hincr("{votes}:route", "rest", total).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn top_sets_of_an_existing_installation_are_built_while_votes_are_counted() {
    let environment = TestEnvironment::new("top_build").await;
    let script = Script::new(&environment).await;
    add_bands(&environment, "Old", 30_000).await;
    let builder = Script::new(&environment).await.tally;
    let build = tokio::spawn(async move { builder.complete_top_sets().await });
    let mut random = fastrand::Rng::with_seed(3);
    let mut offset = 0;
    while !build.is_finished() || offset < 2_000 {
        count_random(&script, &mut random, offset, 200).await;
        offset += 200;
    }
    build.await.unwrap().unwrap();
    // The first batch noticed that an earlier version had counted, which interrupted the first run.
    script.tally.complete_top_sets().await.unwrap();
    assert_exact(&environment).await;

    // Both versions count during an upgrade: the new one notices, and the sets are built again.
    add_bands(&environment, "Late", 1_500).await;
    count_random(&script, &mut random, offset, 10).await;
    assert_ne!(
        top(&environment, TallyHash::Band).await,
        sorted(&environment, TallyHash::Band).await
    );
    script.tally.complete_top_sets().await.unwrap();
    assert_exact(&environment).await;

    // Without a further vote, too.
    add_bands(&environment, "Last", 1_500).await;
    environment.redis_command(&["DEL", "{votes}:album:top"]).await;
    script.tally.complete_top_sets().await.unwrap();
    assert_exact(&environment).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn overview_has_the_highest_counts_also_before_a_consumer_has_built_the_sets() {
    let environment = TestEnvironment::new("overview").await;
    let mut redis = environment.redis.clone();
    assert_eq!(
        Overview::read(&mut redis, 10, 10).await.unwrap(),
        Overview::default()
    );
    add_bands(&environment, "Band", 150).await;
    let small = Overview::read(&mut redis, 10, 20).await.unwrap();
    assert_eq!(
        (
            small.bands.len(),
            small.albums.len(),
            small.band_count,
            small.album_count
        ),
        (10, 20, 150, 150)
    );
    assert_eq!(small.bands[0], ("Band 99".to_owned(), 100));
    assert_eq!(small.albums[0].name.band, "Band 99");
    assert_eq!(small.routes, [("rest".to_owned(), small.total)]);

    add_bands(&environment, "More", 5_000).await;
    let unbuilt = Overview::read(&mut redis, 10, 10).await.unwrap();
    assert_eq!(
        (unbuilt.bands.len(), unbuilt.band_count),
        (0, 5_150),
        "a large hash is not read"
    );
    Script::new(&environment)
        .await
        .tally
        .complete_top_sets()
        .await
        .unwrap();
    let built = Overview::read(&mut redis, 500, 100).await.unwrap();
    assert_eq!((built.bands.len(), built.albums.len()), (500, 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn consumer_builds_the_sets_at_its_start_and_after_they_are_lost() {
    let environment = TestEnvironment::new("top_start").await;
    add_bands(&environment, "Old", 2_500).await;
    let consumer = environment.consumer(&[]);
    let is_exact =
        async || top(&environment, TallyHash::Band).await == sorted(&environment, TallyHash::Band).await;
    wait_for("the sets are built", &is_exact).await;
    environment
        .redis_command(&["DEL", "{votes}:band:top", "{votes}:album:top"])
        .await;
    wait_for("the sets are built again", &is_exact).await;
    assert!(consumer.terminate().await.success());
}

/// More bands than a single transaction reads: the commands read in steps, and votes wait meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn reconcile_and_rebuild_are_exact_under_load_with_many_bands() {
    let environment = TestEnvironment::new("many_bands").await;
    let consumer = environment.consumer(&[]);
    let events = mixed(&mut fastrand::Rng::with_seed(21), 3_000);
    let (first, rest) = events.split_at(1_000);
    let (second, third) = rest.split_at(1_000);
    send(&environment.writer, first).await;
    environment.wait_until_counted(expected(first).total).await;
    add_bands(&environment, "Invented", 21_000).await;
    let (rebuilt, ()) = tokio::join!(
        async { run(&environment, "rebuild", &["--from", "kafka"]) },
        send(&environment.writer, second)
    );
    assert_eq!(rebuilt.code, 0);
    assert!(rebuilt.stdout.contains("more") && rebuilt.stdout.contains("corrected"));
    send(&environment.writer, third).await;
    assert!(reconcile(&environment, &[]).is_reconciled());
    environment.assert_holds_exactly(&events).await;
    let is_exact =
        async || top(&environment, TallyHash::Album).await == sorted(&environment, TallyHash::Album).await;
    wait_for("the sets are exact", &is_exact).await;

    // A command that was killed leaves its hold, which expires.
    environment
        .redis_command(&["SET", "{votes}:hold", "1", "PX", "3000"])
        .await;
    let more = mixed(&mut fastrand::Rng::with_seed(22), 100);
    send(&environment.writer, &more).await;
    let all: Vec<_> = events.iter().chain(&more).cloned().collect();
    environment.wait_until_counted(expected(&all).total).await;
    environment.assert_holds_exactly(&all).await;
    assert!(consumer.terminate().await.success());
}

/// The sentences of the differences, of which each is a wrong count in Redis.
fn wrong_counts(reconciled: &Reconciled) -> Vec<String> {
    assert_eq!(reconciled.code, 1, "{reconciled:?}");
    let differences = reconciled.json["differences"].as_array().unwrap().iter();
    differences
        .map(|difference| {
            assert_eq!(
                (&difference["store"], &difference["kind"]),
                (&"redis".into(), &"count".into())
            );
            difference["sentence"].as_str().unwrap().to_owned()
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn reconcile_names_each_wrong_member_and_rebuild_mends_the_sets() {
    let environment = TestEnvironment::new("top_reconcile").await;
    let consumer = environment.consumer(&[]);
    let events = mixed(&mut fastrand::Rng::with_seed(23), 1_000);
    send(&environment.writer, &events).await;
    environment.wait_until_counted(expected(&events).total).await;
    assert!(reconcile(&environment, &[]).is_reconciled());
    // It would notice the changed size of a set.
    assert!(consumer.terminate().await.success());

    let bands = top(&environment, TallyHash::Band).await;
    let ((low, low_votes), (missing, missing_votes)) = (&bands[0], &bands[1]);
    let routes = top(&environment, TallyHash::Route).await;
    let (route, route_votes) = &routes[0];
    let break_sets = async || {
        for command in [
            &["ZADD", "{votes}:band:top", "3", low.as_str()][..],
            &["ZREM", "{votes}:band:top", missing],
            &["ZADD", "{votes}:band:top", "7", "Unknown Band"],
            &["ZADD", "{votes}:route:top", "0.5", route],
        ] {
            environment.redis_command(command).await;
        }
        let mut sentences = vec![
            format!("{{votes}}:band:top, member {low}: found 3, expected {low_votes} from {{votes}}:band"),
            format!(
                "{{votes}}:band:top, member {missing}: found none, expected {missing_votes} from {{votes}}:band"
            ),
            "{votes}:band:top, member Unknown Band: found 7, expected none from {votes}:band".to_owned(),
        ];
        sentences.sort();
        sentences.push(format!(
            "{{votes}}:route:top, member {route}: found 0.5, expected {route_votes} from {{votes}}:route"
        ));
        sentences
    };
    for from in ["kafka", "mongodb"] {
        let sentences = break_sets().await;
        let different = reconcile(&environment, &[]);
        assert_eq!(wrong_counts(&different), sentences);
        assert!(different.json["notes"].to_string().contains("consumer rebuild"));
        let listed = wrong_counts(&reconcile(&environment, &["--list", "1"]));
        assert_eq!(listed, [sentences[0].as_str(), "3 more of this kind"]);

        let dry = run(&environment, "rebuild", &["--from", from, "--dry-run"]);
        assert!(dry.code == 0 && dry.stdout.contains("nothing was changed"));
        assert_eq!(wrong_counts(&reconcile(&environment, &[])), sentences);
        let rebuilt = run(&environment, "rebuild", &["--from", from]);
        assert!(rebuilt.code == 0 && rebuilt.stdout.contains("corrected"));
        for sentence in &sentences {
            assert!(dry.stdout.contains(sentence) && rebuilt.stdout.contains(sentence));
        }
        assert_exact(&environment).await;
        assert!(reconcile(&environment, &[]).is_reconciled());
    }

    // Bytes that are not text, and a state of another type.
    let mut add = redis::cmd("ZADD");
    add.arg("{votes}:album:top").arg(9).arg(b"\xff");
    add.exec_async(&mut environment.redis.clone()).await.unwrap();
    assert_eq!(wrong_counts(&reconcile(&environment, &[])).len(), 1);
    environment.redis_command(&["DEL", "{votes}:top_state"]).await;
    environment
        .redis_command(&["SET", "{votes}:top_state", "1"])
        .await;
    let broken = run(&environment, "reconcile", &[]);
    assert!(broken.code == 2 && broken.stderr.contains("{votes}:top_state"));
    assert_eq!(run(&environment, "rebuild", &["--from", "kafka"]).code, 0);
    assert_exact(&environment).await;
    assert!(reconcile(&environment, &[]).is_reconciled());
}

#[tokio::test(flavor = "multi_thread")]
async fn reconcile_waits_while_a_consumer_builds_the_sets() {
    let environment = TestEnvironment::new("top_wait").await;
    let consumer = environment.consumer(&[]);
    let events = mixed(&mut fastrand::Rng::with_seed(24), 500);
    send(&environment.writer, &events).await;
    environment.wait_until_counted(expected(&events).total).await;
    let lose_sets = [
        "DEL",
        "{votes}:top_state",
        "{votes}:band:top",
        "{votes}:album:top",
    ];
    environment.redis_command(&lose_sets).await;
    assert!(reconcile(&environment, &[]).is_reconciled());
    assert!(consumer.terminate().await.success());

    environment.redis_command(&lose_sets).await;
    let lost = reconcile(&environment, &["--wait-s", "1"]);
    assert!(!wrong_counts(&lost).is_empty());
    assert!(lost.json["notes"].to_string().contains("not complete"));
    let consumer = environment.consumer(&[]);
    assert!(reconcile(&environment, &[]).is_reconciled());
    assert!(consumer.terminate().await.success());
}
