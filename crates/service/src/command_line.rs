//! Parses the command line. Errors show no secret.

use std::ffi::OsStr;
use std::process;

use clap::{Command, Parser};

use secret::redact_values;

/// Parses the command line of the process, like `T::parse`. That one repeats wrong arguments in its error, such as the URL
/// of a store with its password, which then reaches logs.
pub fn parse_command_line<T: Parser>() -> T {
    T::try_parse().unwrap_or_else(|error| {
        let arguments: Vec<_> = std::env::args_os().skip(1).collect();
        let arguments = arguments.iter().filter_map(|argument| argument.to_str());
        let variables: Vec<_> = variables(&T::command());
        let values: Vec<&str> = arguments
            .flat_map(|argument| [Some(argument), argument.split_once('=').map(|(_, value)| value)])
            .flatten()
            .chain(variables.iter().map(String::as_str))
            .collect();
        if values
            .iter()
            .all(|value| redact_values(value, [*value]) == *value)
        {
            error.exit();
        }
        let text = redact_values(&error.render().to_string(), values);
        if error.use_stderr() {
            eprint!("{text}");
        } else {
            print!("{text}");
        }
        process::exit(error.exit_code());
    })
}

/// The values of the environment variables that the command and its subcommands read.
fn variables(command: &Command) -> Vec<String> {
    let own = command.get_arguments().filter_map(|argument| argument.get_env());
    let own = own.filter_map(|name: &OsStr| std::env::var(name).ok());
    own.chain(command.get_subcommands().flat_map(variables)).collect()
}
