//! The one cryptography of this program.

/// Makes ring the provider of TLS for the whole process; a second call changes nothing.
pub fn install_crypto() {
    // An error says that a provider is installed already, which is what is wanted.
    drop(rustls::crypto::ring::default_provider().install_default());
}
