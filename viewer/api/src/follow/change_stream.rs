//! Change streams of the log: how to open one, and how to read a change.

use std::time::Duration;

use mongodb::bson::{RawDocument, RawDocumentBuf, doc};
use mongodb::change_stream::ChangeStream;
use mongodb::error::{Error, ErrorKind};

use super::token::Token;
use crate::logs::{Logs, Vote};

/// The server's error codes for a token that its oplog no longer contains or never contained.
const HISTORY_LOST: [i32; 4] = [286, 280, 260, 50_811];

/// New votes, each with its position, as MongoDB sends them.
pub(super) type Changes = ChangeStream<RawDocumentBuf>;

/// A vote with its position in the oplog.
#[derive(Clone, Debug)]
pub(super) struct LoggedVote {
    pub token: Token,
    pub vote: Vote,
}

/// Opens a change stream of new votes. It starts after `token`, or now. `wait` limits how long the server waits for changes.
pub(super) async fn open(logs: &Logs, token: Option<&Token>, wait: Duration) -> Result<Changes, Error> {
    let pipeline = [doc! { "$match": { "operationType": "insert" } }];
    let collection = logs.collection().await?;
    let watch = collection.watch().pipeline(pipeline).max_await_time(wait);
    let changes = match token {
        Some(token) => {
            watch
                .resume_after(token.to_resume().map_err(Error::custom)?)
                .await?
        }
        None => watch.await?,
    };
    Ok(changes.with_type())
}

/// Decodes a change. None if it is not a vote.
pub(super) fn read(logs: &Logs, change: &RawDocument) -> Option<LoggedVote> {
    Some(LoggedVote {
        token: Token::of_change(change)?,
        vote: logs.read(change.get_document("fullDocument").ok()?)?,
    })
}

/// Whether the error means that a change stream cannot resume at its token.
pub(super) fn is_history_lost(error: &Error) -> bool {
    matches!(error.kind.as_ref(), ErrorKind::Command(command) if HISTORY_LOST.contains(&command.code))
}
