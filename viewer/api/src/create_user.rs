//! `viewer create-user`: creates the read-only MongoDB user for this service. viewer/create-user.js does the same with mongosh.

use std::fmt;
use std::io::Read;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};
use mongodb::Client;
use mongodb::bson::{Document, doc};
use mongodb::error::{Error, ErrorKind};
use mongodb::options::ClientOptions;
use secret::SecretUrl;

use vote_log::{DATABASE, MongodbLoginArgs};

/// How long the driver searches for a server.
const SELECTION_TIMEOUT: Duration = Duration::from_secs(10);
/// The server's error code for a user that already exists.
const USER_EXISTS: i32 = 51_003;

/// Options of `create-user`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct CreateUserArgs {
    /// URI of MongoDB, with a user that may create users
    #[arg(long, env = "MONGODB_ADMIN_URI", hide_env_values = true)]
    admin_uri: SecretUrl,

    #[command(flatten)]
    login: MongodbLoginArgs,

    /// The user's name; an existing user gets this password and only the read role
    #[arg(long, default_value = "viewer")]
    user: String,

    /// The user's password; read from standard input if omitted
    #[arg(long, env = "VIEWER_PASSWORD", hide_env_values = true)]
    password: Option<Password>,
}

/// A password, which is never shown.
#[derive(Clone)]
struct Password(String);

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// Creates the user, or updates it.
pub(crate) fn run(args: CreateUserArgs) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime
        .context("cannot start the async runtime")
        .and_then(|runtime| runtime.block_on(create(args)));
    match outcome {
        Ok(user) => {
            println!("{user} can read the database {DATABASE} and has no other rights.");
            println!("Start the viewer with mongodb://{user}:PASSWORD@…/?authSource={DATABASE}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("the user was not created: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn create(args: CreateUserArgs) -> anyhow::Result<String> {
    let password = match args.password {
        Some(Password(password)) => password,
        None => read_password()?,
    };
    ensure!(!password.is_empty(), "the password is empty");
    let uri = vote_log::validated_uri("--admin-uri", &args.admin_uri, &args.login)?;
    let mut options = ClientOptions::parse(uri.expose()).await?;
    options.server_selection_timeout = Some(SELECTION_TIMEOUT);
    let database = Client::with_options(options)?.database(DATABASE);
    let command = |verb: &str| -> Document {
        // `read` includes change streams. It applies to this database only.
        let roles = [doc! { "role": "read", "db": DATABASE }];
        doc! { verb: &args.user, "pwd": &password, "roles": roles }
    };
    match database.run_command(command("createUser")).await {
        Err(error) if is_code(&error, USER_EXISTS) => database.run_command(command("updateUser")).await?,
        other => other?,
    };
    Ok(args.user)
}

fn read_password() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .context("reading the password from standard input")?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn is_code(error: &Error, code: i32) -> bool {
    matches!(error.kind.as_ref(), ErrorKind::Command(command) if command.code == code)
}
