//! `consumer migrate-log`: copies a log with the layout of an earlier version into a collection with the present one, which
//! then replaces it.
//!
//! The command may be interrupted at any time and run again. It copies in the order of the new keys, one batch after the other,
//! and continues at the last batch that it copied. The earlier collection stays complete until the copy replaces it, in one
//! atomic step.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use mongodb::bson::{self, RawDocument, RawDocumentBuf, doc};
use mongodb::{Collection, Database};
use uuid::Uuid;
use vote_log::{COLLECTION, DATABASE, Layout, LogKey, VoteDocument};

use crate::log_writer::display;
use crate::progress::Progress;
use crate::reconciliation::mongodb_votes::log_database;
use crate::store_args::MongodbArgs;

/// The copy, until it replaces the log.
const COPY: &str = "logs_migrating";
/// Documents of one insert.
const BATCH: usize = 2_000;

/// Options of `consumer migrate-log`.
#[derive(Clone, Debug, clap::Args)]
pub struct MigrateLogArgs {
    #[command(flatten)]
    mongodb: MongodbArgs,
}

/// Migrates the log and prints the result. Exit code 0 if the log has the present layout in the end.
pub async fn migrate_log(args: MigrateLogArgs) -> ExitCode {
    match migrate(&args).await {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("the log is not migrated; you may safely run this command again: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn migrate(args: &MigrateLogArgs) -> Result<String> {
    let database = log_database(args.mongodb.validated()?.expose(), "consumer-migration").await?;
    match vote_log::layout(&database, COLLECTION).await.context("MongoDB")? {
        Layout::Clustered => return Ok("nothing to migrate: the log has the present layout".to_owned()),
        Layout::Missing => return Ok("nothing to migrate: there is no log yet".to_owned()),
        Layout::Earlier => {}
    }
    if vote_log::layout(&database, COPY).await? == Layout::Missing {
        vote_log::create(&database, COPY)
            .await
            .with_context(|| format!("creating {COPY}"))?;
    }
    let started = Instant::now();
    let migration = Migration {
        log: database.collection(COLLECTION),
        copy: database.collection(COPY),
        database: database.clone(),
    };
    let copied = migration.copy_documents().await?;
    migration.check_count().await?;
    let total = migration.copy.estimated_document_count().await?;
    replace_log(&database).await?;
    Ok(format!(
        "migrated the log: {total} documents, {copied} of them copied by this run in {:.0} s",
        started.elapsed().as_secs_f64()
    ))
}

/// Replaces the log by the copy, in one step.
async fn replace_log(database: &Database) -> Result<()> {
    let (from, to) = (format!("{DATABASE}.{COPY}"), format!("{DATABASE}.{COLLECTION}"));
    let rename = doc! { "renameCollection": &from, "to": &to, "dropTarget": true, "writeConcern": { "w": "majority" } };
    let admin = database.client().database("admin");
    admin
        .run_command(rename)
        .await
        .with_context(|| format!("replacing {to} by {from}"))?;
    Ok(())
}

struct Migration {
    log: Collection<RawDocumentBuf>,
    copy: Collection<RawDocumentBuf>,
    database: Database,
}

impl Migration {
    /// Copies the documents that are not copied yet. Returns their number.
    async fn copy_documents(&self) -> Result<u64> {
        let context = || format!("reading {DATABASE}.{COLLECTION}");
        let total = self.log.estimated_document_count().await.with_context(context)?;
        let mut copied = self.copy.estimated_document_count().await?;
        let before = copied;
        let mut progress = Progress::new("copying the log");
        // The earlier layout has an index in this order. In it, ids are text, and they sort like the bytes of the new keys.
        let oldest_first = doc! { "received_at": 1, "_id": 1 };
        let find = self
            .log
            .find(self.remaining().await?)
            .sort(oldest_first)
            .allow_disk_use(true);
        let mut documents = find.batch_size(BATCH as u32).await.with_context(context)?;
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let has_document = documents.advance().await.with_context(context)?;
            if has_document {
                batch.push(parse(documents.current())?);
            }
            if batch.len() == BATCH || !has_document {
                copied += batch.len() as u64;
                for insert in vote_log::inserts_into(COPY, batch.drain(..)) {
                    let inserted = vote_log::run_insert(&self.database, insert).await;
                    inserted.context("writing the copy")?;
                }
                progress.report(|| format!("{copied} of {total} documents"));
            }
            if !has_document {
                return Ok(copied - before);
            }
        }
    }

    /// Selects the documents that may not be copied yet: those after the last complete batch.
    async fn remaining(&self) -> Result<bson::Document> {
        let newest_first = doc! { "_id": -1 };
        let last = self.copy.find_one(doc! {}).sort(newest_first).skip(BATCH as u64);
        let Some(last) = last.await.context("reading the copy")? else {
            return Ok(doc! {});
        };
        let key = last.get_binary("_id").context("reading the copy")?.bytes;
        let key = LogKey::from_bytes(key).context("reading the copy")?;
        // Not the id: this condition uses the index, and copies at most the votes of a millisecond again.
        Ok(doc! { "received_at": { "$gte": key.received_at() } })
    }

    /// Errors if the copy is not complete.
    async fn check_count(&self) -> Result<()> {
        eprintln!("counting the documents of both collections");
        let (log, copy) = tokio::try_join!(async { self.log.count_documents(doc! {}).await }, async {
            self.copy.count_documents(doc! {}).await
        })?;
        ensure!(
            log == copy,
            "the log has {log} documents, but the copy has {copy}. Does a consumer of the earlier version still write to the log? \
             Stop it and run this command again. Otherwise drop {DATABASE}.{COPY} first"
        );
        Ok(())
    }
}

fn parse(document: &RawDocument) -> Result<VoteDocument<'static>> {
    let vote = if document.get_binary("_id").is_ok() {
        // The log was dropped while a consumer of this version ran, and MongoDB created it again with its defaults.
        VoteDocument::from_raw(document).map_err(Into::into)
    } else {
        read_earlier(document)
    };
    vote.map(VoteDocument::into_owned).with_context(|| {
        let document = display(document);
        format!("the document {document} is not a vote: delete it and run this command again")
    })
}

/// Reads a document of the earlier layout: it has the vote's id as text in the place of the key.
fn read_earlier(document: &RawDocument) -> Result<VoteDocument<'_>> {
    let vote_id = Uuid::try_parse(document.get_str("_id")?)?;
    // It does not tell whether a client chose the id. If one did, it must stay unique.
    let chosen_id = Some(bson::Uuid::from_bytes(vote_id.into_bytes()));
    let key = LogKey::new(document.get_datetime("received_at")?, vote_id);
    Ok(VoteDocument::with_key(key, chosen_id, document)?)
}
