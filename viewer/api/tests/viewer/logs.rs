//! The log: pages, filters and export.

use lab::process::Signal;
use lab::servers::Server;
use mongodb::bson::doc;
use serde_json::json;

use crate::client::{get_ok, get_raw, invalid_fields, vote_ids};
use crate::environment::{TestEnvironment, UNREACHABLE_MONGODB, Viewer, id, vote, votes};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_have_no_gap_and_no_duplicate_while_votes_arrive() {
    let environment = TestEnvironment::new().await;
    let viewer = environment.viewer_with_only_mongodb(&[]).await;
    // Three votes per millisecond, so that a page can end between votes with the same time.
    let mut logged: Vec<_> = (0..90)
        .map(|number| vote("Alux Nahual", "rest", number / 3))
        .collect();
    environment.insert(&logged).await;
    logged.sort_by_key(|vote| (vote.get_datetime("received_at").unwrap().to_owned(), id(vote)));
    let expected: Vec<String> = logged.iter().rev().map(id).collect();

    let (mut read, mut path) = (Vec::new(), "/api/logs?limit=20".to_owned());
    loop {
        let page = get_ok(&viewer, &path).await;
        read.extend(vote_ids(&page));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/logs?limit=20&before={next}");
        // Newer than all votes above.
        environment.insert(&[vote("Bohemia Suburbana", "grpc", -1)]).await;
    }
    assert_eq!(read, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn page_matches_the_contract() {
    let environment = TestEnvironment::new().await;
    let viewer = environment.viewer_with_only_mongodb(&[]).await;
    assert_eq!(
        get_ok(&viewer, "/api/logs").await,
        json!({ "votes": [], "next": null })
    );

    let logged = vote("Alux Nahual", "bridge", 7);
    environment.insert(std::slice::from_ref(&logged)).await;
    let expected = json!({
        "vote_id": id(&logged), "name": "Alux Nahual", "album": "Álbum \"uno\"", "year": "1999", "rank": "9.5",
        "route": "bridge", "received_at": "2026-01-31T11:59:59.993Z", "consumed_at": "2026-01-31T12:00:00.005Z",
        "partition": 3, "offset": 7,
    });
    assert_eq!(
        get_ok(&viewer, "/api/logs").await,
        json!({ "votes": [expected], "next": null })
    );

    environment.insert(&votes(20, "Alux Nahual", "rest")).await;
    let page = get_ok(&viewer, "/api/logs").await;
    assert_eq!(vote_ids(&page).len(), 20, "the default");
    assert!(page["next"].is_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_apply_to_pages_and_exports() {
    let environment = TestEnvironment::new().await;
    let viewer = environment.viewer_with_only_mongodb(&[]).await;
    let alux = votes(3, "Alux Nahual", "rest");
    let bohemia = votes(3, "Bohemia Suburbana", "grpc");
    environment
        .insert(&[alux.clone(), bohemia.clone()].concat())
        .await;
    let cases = [
        ("route=rest", vec![&alux[0], &alux[1], &alux[2]]),
        (
            "band=Bohemia%20Suburbana",
            vec![&bohemia[0], &bohemia[1], &bohemia[2]],
        ),
        ("band=bohemia+suburbana", vec![]),
        ("route=grpc&band=Alux+Nahual", vec![]),
        (
            "route=rest&from=2026-01-31T11:59:59.999Z",
            vec![&alux[0], &alux[1]],
        ),
        (
            "route=rest&to=2026-01-31T13:59:59.999%2B02:00",
            vec![&alux[1], &alux[2]],
        ),
        // A plus sign that is not percent-encoded arrives as a space.
        (
            "route=rest&to=2026-01-31T13:59:59.999+02:00",
            vec![&alux[1], &alux[2]],
        ),
        ("route=rest&to=1769860799999", vec![&alux[1], &alux[2]]),
        ("route=rest&from=1769860800", vec![&alux[0]]),
        (
            "route=rest&from=2026-01-31&to=2026-01-31",
            vec![&alux[0], &alux[1], &alux[2]],
        ),
        ("route=rest&from=2026-02-01", vec![]),
        ("route=rest&to=2026-01-30", vec![]),
    ];
    for (query, expected) in cases {
        let expected: Vec<String> = expected.into_iter().map(id).collect();
        let page = get_ok(&viewer, &format!("/api/logs?{query}")).await;
        assert_eq!(vote_ids(&page), expected, "{query}");
        let (_, _, export) = get_raw(&viewer, &format!("/api/logs/export?{query}"), &[]).await;
        let lines = String::from_utf8(export).unwrap();
        let exported: Vec<String> = lines.lines().map(exported_id).collect();
        assert_eq!(exported, expected, "{query}");
    }
}

/// Votes have the normal form of their names, except for those from before this rule.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn band_is_found_in_each_spelling() {
    let environment = TestEnvironment::new().await;
    let viewer = environment.viewer_with_only_mongodb(&[]).await;
    let normal = vote("Le\u{f3}n Verde", "rest", 0);
    let earlier = vote("Leo\u{301}n Verde", "grpc", 1);
    let spaces = vote("Le\u{f3}n  Verde", "bridge", 2);
    let other = vote("Leon Verde", "rest", 3);
    environment
        .insert(&[normal.clone(), earlier.clone(), spaces.clone(), other])
        .await;
    for (band, expected) in [
        ("Le%C3%B3n+Verde", vec![&normal]),
        ("+Le%C3%B3n%C2%A0Verde+", vec![&normal]),
        ("Leo%CC%81n+Verde", vec![&normal, &earlier]),
        ("Le%C3%B3n++Verde", vec![&normal, &spaces]),
        ("Leo%CC%81n++Verde", vec![&normal]),
    ] {
        let expected: Vec<String> = expected.into_iter().map(id).collect();
        let page = get_ok(&viewer, &format!("/api/logs?band={band}")).await;
        assert_eq!(vote_ids(&page), expected, "{band}");
        let (_, _, export) = get_raw(&viewer, &format!("/api/logs/export?band={band}"), &[]).await;
        let lines = String::from_utf8(export).unwrap();
        let exported: Vec<String> = lines.lines().map(exported_id).collect();
        assert_eq!(exported, expected, "{band}");
    }
    for band in ["%20", "a%0Ab"] {
        assert_eq!(
            invalid_fields(&viewer, &format!("/api/logs?band={band}")).await,
            ["band"]
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn export_has_one_line_per_vote_up_to_the_limit() {
    let environment = TestEnvironment::new().await;
    let viewer = environment.viewer_with_only_mongodb(&[]).await;
    environment.insert(&votes(10_100, "Alux Nahual", "rest")).await;
    for (query, expected) in [("", 1_000), ("?limit=10000", 10_000), ("?limit=1", 1)] {
        let (status, headers, body) = get_raw(&viewer, &format!("/api/logs/export{query}"), &[]).await;
        assert_eq!(status, 200);
        assert_eq!(headers["content-type"], "application/x-ndjson; charset=utf-8");
        assert_eq!(
            headers["content-disposition"],
            "attachment; filename=\"votes.ndjson\""
        );
        let text = String::from_utf8(body).unwrap();
        let mut ids: Vec<String> = text.lines().map(exported_id).collect();
        assert_eq!(ids.len(), expected);
        ids.dedup();
        assert_eq!(ids.len(), expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invalid_parameters_are_named_and_reach_no_store() {
    // A query that reached the store would be answered with 503.
    let viewer = Viewer::start(UNREACHABLE_MONGODB, &[]).await;
    let long = format!("/api/logs?band={}", "x".repeat(201));
    for (path, field) in [
        ("/api/logs?limit=0", "limit"),
        ("/api/logs?limit=201", "limit"),
        ("/api/logs?limit=ten", "limit"),
        ("/api/logs?limit=1&limit=2", "limit"),
        ("/api/logs?before=xyz", "before"),
        ("/api/logs?route=REST", "route"),
        ("/api/logs?route[$ne]=rest", "route[$ne]"),
        ("/api/logs?%24where=sleep(1000)", "$where"),
        ("/api/logs?from=now", "from"),
        ("/api/logs?to=17", "to"),
        ("/api/logs?from=2026-02-01&to=2026-01-31", "to"),
        (
            "/api/logs?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z",
            "to",
        ),
        ("/api/logs?band=a%00b", "band"),
        (&long, "band"),
        ("/api/logs/export?limit=10001", "limit"),
        ("/api/logs/export?before=x", "before"),
        ("/api/logs/stream?limit=5", "limit"),
        ("/api/logs/stream?route=x", "route"),
        ("/api/tallies?top=101", "top"),
        ("/api/compare?window=2m", "window"),
        ("/api/bands?x=1", "x"),
        ("/api/status?x=1", "x"),
        ("/api/reports?x=1", "x"),
    ] {
        assert_eq!(invalid_fields(&viewer, path).await, [field], "{path}");
    }
    let two = invalid_fields(&viewer, "/api/logs?limit=0&route=x").await;
    assert_eq!(two, ["route", "limit"], "all errors are in one response");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invalid_document_does_not_hide_votes() {
    let environment = TestEnvironment::new().await;
    let viewer = environment.viewer_with_only_mongodb(&[]).await;
    let logged = votes(2, "Alux Nahual", "rest");
    environment.insert(&logged).await;
    environment.insert(&[doc! { "_id": "x", "name": 7 }]).await;
    let page = get_ok(&viewer, "/api/logs").await;
    assert_eq!(vote_ids(&page), [id(&logged[0]), id(&logged[1])]);
    let metrics = reqwest::get(format!("{}/metrics", viewer.admin)).await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(
        metrics.contains("viewer_unreadable_documents_total 1"),
        "{metrics}"
    );
}

/// The matching votes are older than many others: they are found in several steps of a search.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rare_votes_are_found_below_many_others() {
    const OTHERS: i64 = 30_000;
    let environment = TestEnvironment::new().await;
    let viewer = environment.viewer_with_only_mongodb(&[]).await;
    let mut rare: Vec<_> = (0..50)
        .map(|number| vote("Rara Avis", "grpc", number * OTHERS / 50))
        .collect();
    environment.insert(&votes(OTHERS, "Alux Nahual", "rest")).await;
    environment.insert(&rare).await;
    rare.sort_by_key(|vote| (vote.get_datetime("received_at").unwrap().to_owned(), id(vote)));
    let expected: Vec<String> = rare.iter().rev().map(id).collect();

    let read_all = async |filter: &str| {
        let (mut read, mut before) = (Vec::new(), String::new());
        loop {
            let page = get_ok(&viewer, &format!("/api/logs?limit=20&{filter}{before}")).await;
            read.extend(vote_ids(&page));
            let Some(next) = page["next"].as_str() else {
                break read;
            };
            before = format!("&before={next}");
        }
    };
    for filter in ["band=Rara+Avis", "route=grpc"] {
        let read = read_all(filter).await;
        assert_eq!(read, expected, "{filter}");
        let (_, _, export) = get_raw(&viewer, &format!("/api/logs/export?{filter}"), &[]).await;
        let lines = String::from_utf8(export).unwrap();
        assert_eq!(
            lines.lines().map(exported_id).collect::<Vec<_>>(),
            expected,
            "{filter}"
        );
    }
    for filter in ["band=Nobody", "route=bridge", "route=grpc&band=Alux+Nahual"] {
        assert!(read_all(filter).await.is_empty(), "{filter}");
        let (status, _, export) = get_raw(&viewer, &format!("/api/logs/export?{filter}"), &[]).await;
        assert_eq!((status, export.len()), (200, 0), "{filter}");
    }
}

/// A proxy closes a transfer that is silent for too long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn export_that_has_found_nothing_yet_sends_white_space() {
    let environment = TestEnvironment::new().await;
    let viewer = environment.viewer_with_only_mongodb(&[]).await;
    environment.insert(&votes(100_000, "Alux Nahual", "rest")).await;
    let mongodb = environment.stack.identity(Server::Mongodb).unwrap();
    for _ in 0..20 {
        let mut export = reqwest::get(viewer.at("/api/logs/export?band=Nobody"))
            .await
            .unwrap();
        assert_eq!(export.status(), 200);
        mongodb.signal(Signal::STOP).unwrap();
        let first = export.chunk().await;
        mongodb.signal(Signal::CONT).unwrap();
        // A fast MongoDB may have read the whole log before it was paused.
        if let Some(sent) = first.unwrap() {
            assert_eq!(sent, " ");
            return;
        }
    }
    panic!("each export ended before MongoDB was paused");
}

fn exported_id(line: &str) -> String {
    let vote: serde_json::Value = serde_json::from_str(line).unwrap();
    vote["vote_id"].as_str().unwrap().to_owned()
}
