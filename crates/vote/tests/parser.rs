//! Properties of the vote parser: no input causes a panic, and the two encodings agree.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use proptest::prelude::*;
use prost::Message;
use serde_json::json;
use uuid::Uuid;
use vote::{Draft, Name, Route, ValidVote, VoteEvent, drafts_from_json_array, drafts_from_ndjson};

/// Text that is often close to valid. Random bytes alone rarely reach these cases.
fn field() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,220}",
        "[ \\t]{0,2}[A-Za-zÀ-ÿ ]{1,210}[ \\n]{0,2}",
        "[0-9]{0,6}",
        "[0-9]{1,3}\\.[0-9]{0,3}",
        Just(String::new()),
        Just("0197f2a4-7a6f-7c3e-9d55-1a2b3c4d5e6f".to_owned()),
        awkward_text(),
    ]
}

/// Text of characters that normalisation changes, removes or refuses.
fn awkward_text() -> impl Strategy<Value = String> {
    let characters = "[ab1 \\u{a0}\\u{2028}\\u{2800}\\u{300}-\\u{303}\\u{323}é\\u{feff}\\u{200b}-\\u{200e}\\u{fe0f}\\u{3164}\\u{1100}\\u{1161}❤👩بक्\\u{1f3f4}\\u{e0067}]";
    proptest::string::string_regex(&format!("{characters}{{0,12}}")).unwrap()
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|value| json!(value)),
        any::<i64>().prop_map(|value| json!(value)),
        any::<f64>().prop_map(|value| json!(value)),
        field().prop_map(|value| json!(value)),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::hash_map(prop_oneof![Just("name".to_owned()), ".{0,8}"], inner, 0..4)
                .prop_map(serde_json::Value::from_iter),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_bytes_cause_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = Draft::from_json(&bytes).map(Draft::validate);
        let _ = Draft::from_protobuf(&bytes).map(Draft::validate);
        let _ = VoteEvent::decode(&bytes);
        let _ = drafts_from_json_array(&bytes, 3);
        let _ = Draft::batch_from_protobuf(&bytes, 3);
        prop_assert!(drafts_from_ndjson(&bytes, 3).map_or(0, |drafts| drafts.len()) <= 4);
    }

    #[test]
    fn no_damaged_vote_causes_a_panic(
        name in field(), year in field(), position in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()
    ) {
        let message = proto::votes::Vote { name: name.clone(), album: "Sombras".into(), year: year.clone(), rank: "9.5".into(), vote_id: String::new() };
        let documents = [message.encode_to_vec(), serde_json::to_vec(&json!({"name": name, "album": "Sombras", "year": year, "rank": 9.5})).unwrap()];
        for mut document in documents {
            let index = position.index(document.len());
            document[index] = byte;
            document.truncate(cut.index(document.len() + 1));
            let _ = Draft::from_json(&document).map(Draft::validate);
            let _ = Draft::from_protobuf(&document).map(Draft::validate);
        }
    }

    #[test]
    fn every_json_value_is_accepted_or_rejected_with_reasons(name in json_value(), year in json_value(), rank in json_value(), extra in json_value()) {
        let document = json!({"name": name, "album": "Sombras", "year": year, "rank": rank, "extra": extra});
        let draft = Draft::from_json(&serde_json::to_vec(&document).unwrap()).unwrap();
        if let Err(errors) = draft.validate() {
            prop_assert!(!errors.is_empty());
        }
    }

    #[test]
    fn json_and_protobuf_validate_alike(name in field(), album in field(), year in field(), rank in field(), vote_id in field()) {
        let message = proto::votes::Vote {
            name: name.clone(), album: album.clone(), year: year.clone(), rank: rank.clone(), vote_id: vote_id.clone(),
        };
        let document = json!({"name": name, "album": album, "year": year, "rank": rank, "vote_id": vote_id});
        let by_protobuf = Draft::from_protobuf(&message.encode_to_vec()).unwrap().validate();
        let by_json = Draft::from_json(&serde_json::to_vec(&document).unwrap()).unwrap().validate();
        prop_assert_eq!(by_protobuf, by_json);
    }

    #[test]
    fn normal_form_of_a_name_is_its_own_normal_form(text in prop_oneof![field(), awkward_text()]) {
        if let Ok(name) = Name::parse(text) {
            prop_assert_eq!(Name::parse(name.as_str().to_owned()), Ok(name));
        }
    }

    #[test]
    fn number_and_its_text_are_the_same_year_or_rank(value in prop_oneof![-1.0..120.0, 1899.0..2102.0], decimals in 0_usize..4, exponent in -3_i32..4) {
        for spelling in [format!("{value:.decimals$}"), format!("{value:.decimals$}e{exponent}"), format!("{:.0}E+{}", value, exponent.abs())] {
            for field in ["year", "rank"] {
                let vote = |value: &str| r#"{"name":"a","album":"b","year":1997,"rank":9,"other":0}"#
                    .replace(&format!(r#""{field}":"#), &format!(r#""{field}":{value},"was":"#));
                let validate = |json: String| Draft::from_json(json.as_bytes()).unwrap().validate();
                prop_assert_eq!(validate(vote(&spelling)), validate(vote(&format!("\"{spelling}\""))), "{}", spelling);
            }
        }
    }

    #[test]
    fn valid_vote_survives_encoding_and_decoding(
        name in "[A-Za-zÀ-ÿ][A-Za-zÀ-ÿ ]{0,100}[A-Za-z]", year in 1900u16..=2100, hundredths in 0u16..=10_000, received_at_us in any::<i64>()
    ) {
        let rank = f64::from(hundredths) / 100.0;
        let document = json!({"name": name, "album": "Sombras", "year": year, "rank": rank});
        let ValidVote { vote, .. } = Draft::from_json(&serde_json::to_vec(&document).unwrap()).unwrap().validate().unwrap();
        let event = VoteEvent { vote_id: Uuid::now_v7(), id_from_client: false, vote, route: Route::Bridge, received_at_us };
        prop_assert_eq!(VoteEvent::decode(&event.clone().encode()).unwrap(), event);
    }
}

#[test]
fn numbers_and_strings_decode_to_the_same_vote() {
    let by_string = br#"{"name":"Alux Nahual","album":"Centroamerica","year":"1984","rank":"9.50"}"#;
    let by_number =
        br#"{"rank":9.5,"year":1984,"album":" Centroamerica ","name":"Alux Nahual","unknown":[{}]}"#;
    assert_eq!(
        Draft::from_json(by_string).unwrap().validate(),
        Draft::from_json(by_number).unwrap().validate()
    );
}

#[test]
fn protobuf_batch_matches_its_message_and_stops_at_the_limit() {
    let vote = |name: &str| proto::votes::Vote {
        name: name.to_owned(),
        ..Default::default()
    };
    let request = proto::votes::CastVotesRequest {
        votes: vec![vote("a"), vote(""), vote("c")],
    };
    let drafts = Draft::batch_from_protobuf(&request.encode_to_vec(), 10).unwrap();
    let expected: Vec<_> = request
        .votes
        .into_iter()
        .map(|vote| Ok(Draft::from(vote)))
        .collect();
    assert_eq!(drafts, expected);

    let many_empty = [0x0a, 0x00].repeat(100_000);
    assert_eq!(Draft::batch_from_protobuf(&many_empty, 10).unwrap().len(), 11);
    assert!(Draft::batch_from_protobuf(&[0x0a, 0x7f, 0x00], 10).is_err());
}

#[test]
fn all_invalid_fields_are_reported_together() {
    let draft = Draft::from_json(br#"{"name":5,"album":null,"year":true,"rank":[1],"vote_id":{}}"#).unwrap();
    let errors = draft.validate().unwrap_err();
    let named: Vec<_> = errors
        .iter()
        .map(|error| (error.field, &*error.message))
        .collect();
    assert_eq!(
        named,
        [
            ("name", "must be a string"),
            ("album", "is required"),
            ("year", "must be a string or a number"),
            ("rank", "must be a string or a number"),
            ("vote_id", "must be a string"),
        ]
    );
}

#[test]
fn array_keeps_the_order_with_malformed_elements() {
    let drafts = drafts_from_json_array(br#"[{"name":"a"}, 7, [[]], {"name":"b"}]"#, 10).unwrap();
    let shape: Vec<_> = drafts.iter().map(Result::is_ok).collect();
    assert_eq!(shape, [true, false, false, true]);
    assert!(drafts_from_json_array(br#"[{"name":"a"}"#, 10).is_err());
    assert!(drafts_from_json_array(br#"{"name":"a"}"#, 10).is_err());
    assert!(drafts_from_json_array(b"[] x", 10).is_err());
    assert_eq!(drafts_from_json_array(b"[{},{},{},{},{}]", 2).unwrap().len(), 3);
}

#[test]
fn deep_nesting_is_rejected_without_stack_overflow() {
    let deep = format!(r#"{{"name":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(Draft::from_json(deep.as_bytes()).unwrap().validate().is_err());
}

#[test]
fn duplicate_field_is_malformed() {
    assert!(Draft::from_json(br#"{"name":"a","name":"b"}"#).is_err());
}

#[test]
fn negative_zero_is_a_rank() {
    for rank in ["-0", "-0.0", "-0.00", r#""-0""#, r#""-0.0""#, r#""-0.00""#] {
        let json = format!(r#"{{"name":"a","album":"b","year":1997,"rank":{rank}}}"#);
        let valid = Draft::from_json(json.as_bytes()).unwrap().validate().unwrap();
        assert_eq!(valid.vote.rank.to_string(), "0", "{rank}");
    }
}

#[test]
fn refused_character_is_named_in_both_encodings() {
    let message = proto::votes::Vote {
        name: "Alux\u{202e}Nahual".to_owned(),
        album: "Al\u{200b}to".to_owned(),
        year: "1987".to_owned(),
        rank: "9".to_owned(),
        vote_id: Uuid::nil().to_string(),
    };
    let json = json!({"name": message.name, "album": message.album, "year": 1987, "rank": 9, "vote_id": message.vote_id});
    let by_protobuf = Draft::from_protobuf(&message.encode_to_vec()).unwrap();
    let by_json = Draft::from_json(&serde_json::to_vec(&json).unwrap()).unwrap();
    for draft in [by_protobuf, by_json] {
        let errors = draft.validate().unwrap_err();
        let named: Vec<_> = errors
            .iter()
            .map(|error| (error.field, &*error.message))
            .collect();
        assert_eq!(
            named,
            [
                (
                    "name",
                    "must not contain U+202E, which changes the direction of text"
                ),
                ("album", "must not contain the invisible character U+200B"),
                (
                    "vote_id",
                    "must not be the nil UUID: choose an id of your own, or send none"
                ),
            ]
        );
    }
}

#[test]
fn stored_event_is_read_as_it_is() {
    for (name, album) in [
        ("Centroame\u{301}rica", "Alto\u{a0}al  fuego"),
        ("\u{200b}", "a\u{202e}b"),
        ("\u{3164}", "\u{feff}Leyenda"),
    ] {
        for vote_id in [Uuid::nil(), Uuid::max()] {
            let stored = proto::votes::VoteEvent {
                name: name.to_owned(),
                album: album.to_owned(),
                year: "1987".to_owned(),
                rank: "9.5".to_owned(),
                vote_id: vote_id.to_string(),
                route: proto::votes::Route::Rest.into(),
                received_at_us: 1,
                id_from_client: true,
            };
            let event = VoteEvent::decode(&stored.encode_to_vec()).unwrap();
            assert_eq!(
                (event.vote.name.as_str(), event.vote.album.as_str()),
                (name, album)
            );
            assert_eq!(event.vote_id, vote_id);
            assert_eq!(event.encode(), stored.encode_to_vec());
        }
    }
}
