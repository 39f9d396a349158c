//! The header `Idempotency-Key` in the forms that clients and proxies produce.

use serde_json::Value;

use crate::api::{Api, SINGLE, json_vote};

const ID: &str = "0197f2a4-7a6f-7c3e-9d55-1a2b3c4d5e6f";
const OTHER_ID: &str = "0197f2a4-7a6f-7c3e-9d55-1a2b3c4d5e70";

#[tokio::test]
async fn key_is_read_in_every_form_of_a_uuid() {
    let (quoted, upper_case, list) = (format!("\"{ID}\""), ID.to_uppercase(), format!("{ID}, \"{ID}\""));
    let simple = ID.replace('-', "");
    for keys in [
        [ID].as_slice(),
        &[&quoted],
        &[&upper_case],
        &[&simple],
        &[&list],
        &[ID, ID],
        &[&quoted, ID],
    ] {
        let api = Api::new();
        let headers: Vec<_> = keys.iter().map(|&key| ("idempotency-key", key)).collect();
        let response = api.post(SINGLE, &headers, json_vote().to_string()).await;
        response.assert_accepted();
        let receipt: Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!(receipt["vote_id"], ID, "{keys:?}");
    }
}

#[tokio::test]
async fn different_or_unreadable_keys_are_refused() {
    let list = format!("{ID}, {OTHER_ID}");
    let (half_quoted, twice_quoted) = (format!("\"{ID}"), format!("\"\"{ID}\"\""));
    for (keys, expected) in [
        ([ID, OTHER_ID].as_slice(), "different Idempotency-Keys"),
        (&[&list], "different Idempotency-Keys"),
        (&[ID, "x"], "must be a UUID"),
        (&[""], "must be a UUID"),
        (&["\"\""], "must be a UUID"),
        (&[&half_quoted], "must be a UUID"),
        (&[&twice_quoted], "must be a UUID"),
    ] {
        let api = Api::new();
        let headers: Vec<_> = keys.iter().map(|&key| ("idempotency-key", key)).collect();
        let response = api.post(SINGLE, &headers, json_vote().to_string()).await;
        let detail = response.detail(422);
        assert!(detail.contains(expected), "{keys:?}: {detail}");
        let problem: Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!(problem["errors"][0]["field"], "vote_id");
    }
}

#[tokio::test]
async fn key_and_vote_id_must_be_equal() {
    let api = Api::new();
    let mut vote = json_vote();
    vote["vote_id"] = ID.to_uppercase().into();
    let quoted = format!("\"{ID}\"");
    api.post(SINGLE, &[("idempotency-key", &quoted)], vote.to_string())
        .await
        .assert_accepted();
    let response = api
        .post(SINGLE, &[("idempotency-key", OTHER_ID)], vote.to_string())
        .await;
    assert!(response.detail(422).contains("differs from the Idempotency-Key"));
}
