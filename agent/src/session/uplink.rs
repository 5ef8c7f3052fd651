//! What a session takes from outside: a way to the server, and chance.

use std::fmt::Debug;
use std::io;
use std::pin::Pin;

use ring::rand::{SecureRandom, SystemRandom};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Bytes to the server and back, in order, until it breaks.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// An open way to the server, or why there is none.
pub type Opening<'a> = Pin<Box<dyn Future<Output = io::Result<Box<dyn ByteStream>>> + Send + 'a>>;

/// The machine's network and its randomness; a simulation has its own.
pub trait Uplink: Debug + Send + Sync {
    /// Opens a stream to the server.
    fn open<'a>(&'a self, host: &'a str, port: u16) -> Opening<'a>;

    /// A number between 0 and 1, by which waits are spread.
    fn chance(&self) -> f64;
}

/// The real ones.
#[derive(Debug)]
pub(crate) struct Tcp;

impl Uplink for Tcp {
    fn open<'a>(&'a self, host: &'a str, port: u16) -> Opening<'a> {
        Box::pin(async move {
            let stream = TcpStream::connect((host, port)).await?;
            // Nagle's algorithm would hold an interactive line back for an acknowledgement.
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn ByteStream>)
        })
    }

    fn chance(&self) -> f64 {
        let mut random = [0u8; 4];
        if SystemRandom::new().fill(&mut random).is_err() {
            return 1.0;
        }
        f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX)
    }
}
