//! TLS: a listener whose handshakes keep nobody waiting, and certificates that change while it listens.

use super::listen::{Patient, PatientListener, Peer};
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use parking_lot::RwLock;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Handshakes at once; more wait in the kernel's queue.
const HANDSHAKES: usize = 256;

/// Where the certificate and its key lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificates in PEM, the server's own first.
    pub certificate: PathBuf,
    /// Its key in PEM.
    pub key: PathBuf,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is no PEM.
    #[error("failed to read `{path}`: {why}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Key and certificate do not fit, or neither can be used.
    #[error("certificate `{path}` cannot be used: {why}", path = path.display())]
    Unfit {
        /// The certificate's file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// The certificate in force; clones share it.
#[derive(Clone)]
pub struct Certificate {
    files: TlsFiles,
    current: Arc<Current>,
}

struct Current {
    key: RwLock<Arc<CertifiedKey>>,
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Current")
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.key.read().clone())
    }
}

impl Certificate {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// Files that cannot be read or do not belong together.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let key = RwLock::new(Arc::new(read(&files)?));
        Ok(Self {
            files,
            current: Arc::new(Current { key }),
        })
    }

    /// Reads the files again; says whether they hold another certificate than before. New connections get it, old ones go on.
    ///
    /// # Errors
    /// As [`Certificate::load`]; the certificate in force stays in force.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let read = read(&self.files)?;
        let mut current = self.current.key.write();
        let changed = current.cert != read.cert;
        *current = Arc::new(read);
        Ok(changed)
    }

    fn acceptor(&self) -> TlsAcceptor {
        let resolver: Arc<dyn ResolvesServerCert> = self.current.clone();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring speaks the default versions")
            .with_no_client_auth();
        let mut config = config.with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}

fn read(files: &TlsFiles) -> Result<CertifiedKey, TlsError> {
    let wrong = |path: &PathBuf| {
        let path = path.clone();
        move |error: rustls::pki_types::pem::Error| TlsError::File {
            path,
            why: error.to_string(),
        }
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(wrong(&files.certificate))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(wrong(&files.key))?;
    let unfit = |error: rustls::Error| TlsError::Unfit {
        path: files.certificate.clone(),
        why: error.to_string(),
    };
    let provider = rustls::crypto::ring::default_provider();
    CertifiedKey::from_der(chain, key, &provider).map_err(unfit)
}

/// What carries the encrypted bytes.
type Stream = TlsStream<Patient<TcpStream>>;

/// Accepts connections and hands over those whose handshake is done. A client that is slow, or speaks no TLS, keeps nobody else waiting.
pub struct TlsListener {
    ready: mpsc::Receiver<(Stream, SocketAddr)>,
    address: SocketAddr,
}

impl TlsListener {
    /// Listens with this certificate. The accepting part is to be spawned by the caller; it ends with the listener.
    ///
    /// # Errors
    /// A listener that has no address.
    pub fn new(
        listener: PatientListener,
        certificate: &Certificate,
    ) -> io::Result<(Self, impl Future<Output = ()> + Send + 'static)> {
        let address = listener.local_addr()?;
        let (done, ready) = mpsc::channel(HANDSHAKES);
        let accepting = accept(listener, certificate.acceptor(), done);
        Ok((Self { ready, address }, accepting))
    }
}

async fn accept(
    mut listener: PatientListener,
    acceptor: TlsAcceptor,
    done: mpsc::Sender<(Stream, SocketAddr)>,
) {
    let places = Arc::new(Semaphore::new(HANDSHAKES));
    let mut handshakes = tokio::task::JoinSet::new();
    loop {
        let (connection, peer) = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = handshakes.join_next() => continue,
            () = done.closed() => return,
        };
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let (acceptor, done) = (acceptor.clone(), done.clone());
        handshakes.spawn(async move {
            match tokio::time::timeout(HANDSHAKE, acceptor.accept(connection)).await {
                Ok(Ok(stream)) => drop(done.send((stream, peer)).await),
                Ok(Err(error)) => tracing::debug!("{peer} does not finish its handshake: {error}"),
                Err(_) => tracing::debug!("{peer} takes too long for its handshake"),
            }
            drop(place);
        });
    }
}

impl Listener for TlsListener {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(ready) => ready,
            // The accepting part has ended, so the server does.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.address)
    }
}

impl Connected<IncomingStream<'_, TlsListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        Self(*stream.remote_addr())
    }
}
