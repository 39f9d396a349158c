//! Inserts documents.
//!
//! `Collection::insert_many` of the driver serializes every document twice, and collects the keys. With commands that are built
//! once, a retry costs nothing, and an insert takes two thirds of the client's CPU time.

use mongodb::Database;
use mongodb::bson::{Bson, Document, RawArrayBuf, RawDocumentBuf, cstr, rawdoc};
use mongodb::error::Error;

use crate::{COLLECTION, VoteDocument};

/// Bytes of the documents of one command. MongoDB accepts 16 MiB.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// The server's error code for a document whose key or whose unique value exists.
const DUPLICATE_KEY: i32 = 11_000;

/// The commands that insert documents into the log.
pub fn inserts<'a>(documents: impl IntoIterator<Item = VoteDocument<'a>>) -> Vec<RawDocumentBuf> {
    inserts_into(COLLECTION, documents)
}

/// The commands that insert documents into `collection`.
pub fn inserts_into<'a>(
    collection: &str,
    documents: impl IntoIterator<Item = VoteDocument<'a>>,
) -> Vec<RawDocumentBuf> {
    let mut commands = Vec::new();
    let mut array = RawArrayBuf::new();
    let mut bytes = 0;
    for document in documents {
        let document = document.to_raw();
        if bytes + document.as_bytes().len() > MAX_BYTES {
            commands.push(command(collection, &std::mem::take(&mut array)));
            bytes = 0;
        }
        bytes += document.as_bytes().len();
        array.push(&document);
    }
    if bytes > 0 {
        commands.push(command(collection, &array));
    }
    commands
}

fn command(collection: &str, documents: &RawArrayBuf) -> RawDocumentBuf {
    let mut command = RawDocumentBuf::new();
    command.append(cstr!("insert"), collection);
    // A document that exists does not prevent the others.
    command.append(cstr!("ordered"), false);
    // A vote that is counted must stay in the log even if a server is lost.
    command.append(cstr!("writeConcern"), &rawdoc! { "w": "majority", "j": true });
    command.append(cstr!("documents"), documents);
    command
}

/// Runs a command of [`inserts`]. A document whose key or whose chosen id exists is not changed. You may retry after any error.
pub async fn run_insert(database: &Database, command: RawDocumentBuf) -> Result<(), Error> {
    let response = database.run_raw_command(command).await?;
    match failure(&response) {
        Some(failure) => Err(Error::custom(format!(
            "MongoDB did not insert all documents: {failure}"
        ))),
        None => Ok(()),
    }
}

/// The first error in the server's response, other than a document that exists.
fn failure(response: &Document) -> Option<&Bson> {
    let write_errors = response.get_array("writeErrors").into_iter().flatten();
    let of_documents = write_errors.filter(|error| !is_duplicate_key(error));
    response
        .get("writeConcernError")
        .into_iter()
        .chain(of_documents)
        .next()
}

fn is_duplicate_key(error: &Bson) -> bool {
    let error = error.as_document();
    let code = error.and_then(|error| error.get_i32("code").ok());
    code == Some(DUPLICATE_KEY)
}

#[cfg(test)]
mod tests {
    use mongodb::bson::{DateTime, doc};
    use uuid::Uuid;

    use super::*;
    use crate::LogKey;

    fn document(number: u128, name: &str) -> VoteDocument<'_> {
        let received_at = DateTime::from_millis(7);
        VoteDocument {
            key: LogKey::new(received_at, Uuid::from_u128(number)),
            chosen_id: None,
            name: name.into(),
            album: "Moneda".into(),
            year: "1995".into(),
            rank: "9".into(),
            route: "rest".into(),
            received_at,
            consumed_at: received_at,
            partition: 0,
            offset: 0,
        }
    }

    #[test]
    fn no_document_needs_no_command() {
        assert!(inserts([]).is_empty());
    }

    #[test]
    fn a_document_that_exists_is_no_failure() {
        let duplicate = doc! { "index": 0, "code": DUPLICATE_KEY, "errmsg": "exists" };
        let other = doc! { "index": 1, "code": 121, "errmsg": "invalid" };
        let concern = doc! { "code": 64, "errmsg": "timed out" };
        for (response, expected) in [
            (doc! { "ok": 1.0 }, None),
            (doc! { "writeErrors": [&duplicate] }, None),
            (doc! { "writeErrors": [&duplicate, &other] }, Some(&other)),
            (
                doc! { "writeConcernError": &concern, "writeErrors": [&duplicate] },
                Some(&concern),
            ),
        ] {
            assert_eq!(
                failure(&response).and_then(Bson::as_document),
                expected,
                "{response}"
            );
        }
        // An error without a number is not known to be harmless.
        assert!(failure(&doc! { "writeErrors": ["?"] }).is_some());
    }

    #[test]
    fn command_is_below_the_limit_of_the_server() {
        let long = "ñ".repeat(200);
        let commands = inserts((0..40_000).map(|number| document(number, &long)));
        assert!(commands.len() > 1);
        let counts = commands.iter().map(|command| {
            assert!(command.as_bytes().len() < 16 * 1024 * 1024);
            command.get_array("documents").unwrap().into_iter().count()
        });
        assert_eq!(counts.sum::<usize>(), 40_000);
    }
}
