//! The local socket of the command line: `DATA/caracal.sock` and the token beside it.
//!
//! **Invariant:** socket and token are readable by the server's own user alone, and the token changes with every start.

use super::identity::{Credential, Identity};
use super::refusal::Refusal;
use super::{Web, listen, local_router};
use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use domain::Error;
use domain::ports::Client;
use engine::auth::{secret, setup::write_private};
use engine::services::access::command_line;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

/// Where the socket lies.
#[must_use]
pub fn socket_path(data: &Path) -> PathBuf {
    data.join("caracal.sock")
}

/// Where its token lies.
#[must_use]
pub fn token_path(data: &Path) -> PathBuf {
    data.join("cli.token")
}

/// The bound socket; serve it with [`LocalSocket::serve`].
pub struct LocalSocket {
    listener: UnixListener,
    token: Arc<str>,
    path: PathBuf,
}

impl LocalSocket {
    /// Binds the socket and writes its token. The caller holds the data folder's lock, so a socket that lies there is of
    /// a server that ended.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn bind(data: &Path) -> io::Result<Self> {
        let path = socket_path(data);
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let token = secret::session(&mut rand::rng());
        write_private(&token_path(data), &token)?;
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        Ok(Self {
            listener,
            token: token.into(),
            path,
        })
    }

    /// Serves it until `stop`, then takes it away.
    pub async fn serve(self, web: Web, stop: CancellationToken) {
        let router = local_router(web).layer(from_fn_with_state(self.token, present));
        listen::unix(self.listener, router, stop).await;
        let _ = std::fs::remove_file(&self.path);
        let _ = std::fs::remove_file(self.path.with_file_name("cli.token"));
    }
}

/// Lets through whoever read the token's file, as the command line.
async fn present(State(token): State<Arc<str>>, mut request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok());
    if given
        .and_then(|v| v.strip_prefix("Bearer "))
        .is_none_or(|given| !secret::same(given, &token))
    {
        return Refusal::from(Error::Unauthenticated).into_response();
    }
    let client = Client {
        ip: "local".into(),
        user_agent: "caracal".into(),
    };
    request.extensions_mut().insert(Identity {
        viewer: Some(command_line()),
        credential: Credential::None,
        client,
    });
    next.run(request).await
}
