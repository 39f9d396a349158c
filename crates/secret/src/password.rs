//! A password from a file or from the environment, which is never shown.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

/// A password. `Debug` does not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

/// Where the password of a store is: in a file, or in a variable of the environment.
#[derive(Clone, Debug)]
pub struct PasswordSource {
    file: Option<PathBuf>,
    option: &'static str,
    variable: &'static str,
}

impl Password {
    /// The password. Never show it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Password {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

impl PasswordSource {
    /// The password is in `file`, the value of `option`, or else in `variable`.
    pub fn new(file: Option<&Path>, option: &'static str, variable: &'static str) -> Self {
        Self {
            file: file.map(Path::to_owned),
            option,
            variable,
        }
    }

    /// Reads the password. None if there is neither a file nor a variable.
    pub fn read(&self) -> anyhow::Result<Option<Password>> {
        let Some(path) = &self.file else {
            let text = std::env::var(self.variable).ok();
            return Ok(text.filter(|text| !text.is_empty()).map(Password));
        };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {} ({})", path.display(), self.option))?;
        // Editors end a file with a line break.
        let text = text.trim_end_matches(['\r', '\n']);
        ensure!(!text.is_empty(), "{} is empty ({})", path.display(), self.option);
        Ok(Some(Password::from(text)))
    }

    /// Whether an option names a file.
    pub(crate) const fn has_file(&self) -> bool {
        self.file.is_some()
    }

    /// The option of the file.
    pub(crate) const fn option(&self) -> &'static str {
        self.option
    }

    /// How to give the password, for errors.
    pub fn advice(&self) -> String {
        format!("{}, or the variable {}", self.option, self.variable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_is_read_without_its_line_break_and_never_shown() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "s3cret \r\n").unwrap();
        let source = PasswordSource::new(Some(file.path()), "--password-file", "NOT_SET");
        let password = source.read().unwrap().unwrap();
        assert_eq!(password.expose(), "s3cret ");
        assert_eq!(format!("{password:?}"), "***");
    }

    #[test]
    fn missing_or_empty_file_is_an_error_with_the_option() {
        let source = PasswordSource::new(Some(Path::new("/no/such")), "--password-file", "NOT_SET");
        let error = source.read().unwrap_err().to_string();
        assert_eq!(error, "cannot read /no/such (--password-file)");
        let file = tempfile::NamedTempFile::new().unwrap();
        let source = PasswordSource::new(Some(file.path()), "--password-file", "NOT_SET");
        let error = source.read().unwrap_err().to_string();
        assert!(error.ends_with("is empty (--password-file)"), "{error}");
    }

    #[test]
    fn neither_file_nor_variable_is_no_password() {
        let source = PasswordSource::new(None, "--password-file", "NOT_SET");
        assert_eq!(source.read().unwrap(), None);
    }
}
