//! A connection to one broker: TCP or TLS, logged in.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{
    ApiKey, RequestHeader, ResponseHeader, SaslAuthenticateRequest, SaslAuthenticateResponse,
    SaslHandshakeRequest, SaslHandshakeResponse,
};
use kafka_protocol::protocol::{
    Decodable, Encodable, HeaderVersion, StrBytes, encode_request_header_into_buffer,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::scram::Scram;
use crate::Security;
use crate::security::{Login, PasswordLogin, SaslMechanism};
use crate::token_file::TokenFile;

/// The metadata of one topic takes less than one kilobyte per broker; a longer response is invalid.
const MAX_RESPONSE_BYTES: u32 = 4 * 1024 * 1024;
/// Since Kafka 1.0.
const HANDSHAKE_VERSION: i16 = 1;
const AUTHENTICATE_VERSION: i16 = 1;

/// TCP or TLS.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection that answers one request at a time.
pub(crate) struct Connection(Box<dyn Stream>);

impl Connection {
    /// Connects to an address of `broker`, host:port, and logs in if `security` has a login.
    pub(crate) async fn open(broker: &str, address: SocketAddr, security: &Security) -> io::Result<Self> {
        let socket = TcpStream::connect(address).await?;
        // The requests are small, and batches wait for the responses.
        socket.set_nodelay(true)?;
        let mut connection = Self(match &security.tls {
            None => Box::new(socket),
            Some(tls) => Box::new(tls.connect(host(broker), socket).await?),
        });
        if let Some(login) = &security.login {
            connection.log_in(login).await?;
        }
        Ok(connection)
    }

    /// Sends a request and waits for its response.
    pub(crate) async fn call<R: Decodable + HeaderVersion>(
        &mut self,
        key: ApiKey,
        request: &impl Encodable,
        version: i16,
    ) -> io::Result<R> {
        let header = RequestHeader::default()
            .with_request_api_key(key as i16)
            .with_request_api_version(version)
            .with_client_id(Some(StrBytes::from_static_str("dualpath")));
        let mut frame = BytesMut::new();
        encode_request_header_into_buffer(&mut frame, &header).map_err(invalid)?;
        request.encode(&mut frame, version).map_err(invalid)?;
        self.0
            .write_u32(u32::try_from(frame.len()).map_err(io::Error::other)?)
            .await?;
        self.0.write_all(&frame).await?;
        // TLS keeps the last bytes until it is flushed.
        self.0.flush().await?;

        let length = self.0.read_u32().await?;
        if length > MAX_RESPONSE_BYTES {
            return Err(io::Error::other(format!(
                "the response has {length} bytes, more than {MAX_RESPONSE_BYTES}"
            )));
        }
        let mut response = vec![0; length as usize];
        self.0.read_exact(&mut response).await?;
        let mut response = Bytes::from(response);
        ResponseHeader::decode(&mut response, R::header_version(version)).map_err(invalid)?;
        R::decode(&mut response, version).map_err(invalid)
    }

    async fn log_in(&mut self, login: &Login) -> io::Result<()> {
        match login {
            Login::Password(login) => self.log_in_by_password(login).await,
            Login::Token(file) => self.log_in_by_token(file).await,
        }
    }

    async fn log_in_by_password(&mut self, login: &PasswordLogin) -> io::Result<()> {
        self.choose(login.mechanism).await?;
        if login.mechanism == SaslMechanism::Plain {
            let PasswordLogin {
                username, password, ..
            } = login;
            self.authenticate(format!("\0{username}\0{}", password.expose()))
                .await?;
            return Ok(());
        }
        let scram = Scram::new(login).map_err(refused)?;
        let challenge = self.authenticate(scram.first()).await?;
        let last = scram.last(&challenge).map_err(refused)?;
        let proof = self.authenticate(last.message.clone()).await?;
        last.check(&proof).map_err(refused)
    }

    /// RFC 7628.
    async fn log_in_by_token(&mut self, file: &TokenFile) -> io::Result<()> {
        let token = file.read().map_err(|reason| refused(&reason))?.text;
        self.choose(SaslMechanism::Oauthbearer).await?;
        let answer = self
            .authenticate(format!("n,,\x01auth=Bearer {token}\x01\x01"))
            .await?;
        // A broker that refuses the token answers with the reason.
        if answer.is_empty() {
            Ok(())
        } else {
            Err(refused(&answer))
        }
    }

    async fn choose(&mut self, mechanism: SaslMechanism) -> io::Result<()> {
        let mechanism = mechanism.name();
        let request = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(mechanism));
        let response: SaslHandshakeResponse = self
            .call(ApiKey::SaslHandshake, &request, HANDSHAKE_VERSION)
            .await?;
        if response.error_code != 0 {
            let offered: Vec<_> = response.mechanisms.iter().map(StrBytes::as_str).collect();
            return Err(refused(&format!(
                "the broker offers {}, not {mechanism}",
                offered.join(", ")
            )));
        }
        Ok(())
    }

    /// Sends a message of the mechanism, and returns the answer.
    async fn authenticate(&mut self, message: String) -> io::Result<String> {
        let request = SaslAuthenticateRequest::default().with_auth_bytes(message.into());
        let response: SaslAuthenticateResponse = self
            .call(ApiKey::SaslAuthenticate, &request, AUTHENTICATE_VERSION)
            .await?;
        if response.error_code != 0 {
            let reason = response
                .error_message
                .as_ref()
                .map_or("no reason", StrBytes::as_str);
            return Err(refused(reason));
        }
        Ok(String::from_utf8_lossy(&response.auth_bytes).into_owned())
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Connection").finish_non_exhaustive()
    }
}

/// The host of host:port, without the brackets of an IPv6 address.
fn host(broker: &str) -> &str {
    let host = broker.rsplit_once(':').map_or(broker, |(host, _)| host);
    host.trim_matches(['[', ']'])
}

fn invalid(error: impl fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

fn refused(reason: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!("the login failed: {reason}"),
    )
}
