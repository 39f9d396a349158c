//! The files of an authority, a server and a client, and the options that name them.

use std::net::SocketAddr;

use authority::{Authority, Issued};
use tempfile::TempDir;

/// The files of an authority, a server and a client.
pub(crate) struct Files(TempDir);

impl Files {
    pub(crate) fn new(authority: &Authority) -> Self {
        let files = Self(TempDir::new().unwrap());
        files.write("ca.pem", &authority.pem());
        files.write_issued("server", &authority.issue(&["localhost", "127.0.0.1"]).unwrap());
        files.write_issued("client", &authority.issue(&["client.example"]).unwrap());
        files
    }

    pub(crate) fn write_issued(&self, name: &str, issued: &Issued) {
        self.write(&format!("{name}.pem"), &issued.cert);
        self.write(&format!("{name}.key"), &issued.key);
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        // A reader sees the old file or the new one.
        let new = self.0.path().join("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.0.path().join(name)).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// The options of a listener whose clients need a certificate.
    pub(crate) fn listener_options(&self) -> Vec<String> {
        self.options([
            ("--tls-cert", "server.pem"),
            ("--tls-key", "server.key"),
            ("--tls-client-ca", "ca.pem"),
        ])
    }

    /// The options of a bridge to the upstream at this address.
    pub(crate) fn upstream_options(&self, upstream: SocketAddr) -> Vec<String> {
        let mut options = vec!["--upstream".to_owned(), format!("https://{upstream}")];
        options.extend(self.options([
            ("--upstream-ca", "ca.pem"),
            ("--upstream-cert", "client.pem"),
            ("--upstream-key", "client.key"),
        ]));
        options
    }

    fn options<const N: usize>(&self, options: [(&str, &str); N]) -> Vec<String> {
        let options = options.map(|(option, name)| [option.to_owned(), self.path(name)]);
        options.into_iter().flatten().collect()
    }
}

/// As a process takes them.
pub(crate) fn as_str(options: &[String]) -> Vec<&str> {
    options.iter().map(String::as_str).collect()
}
