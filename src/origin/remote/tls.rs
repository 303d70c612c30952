//! Whom to trust behind `https`.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};
use rustls::{ClientConfig, RootCertStore};

use super::error::Error;

/// A TLS client for origins behind `https`; one that trusts nobody, and is not used, for others.
pub(in crate::origin) fn client(https: bool, tls_ca: Option<&Path>) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    if https {
        // A system without roots is no error as long as there is a root of our own.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = tls_ca {
            add(&mut roots, path)?;
        }
        if roots.is_empty() {
            return Err(Error::NoRoots);
        }
    }
    trusting(roots)
}

/// A TLS client that trusts the system's roots and `more`.
pub(in crate::origin) fn client_with(more: &[CertificateDer<'static>]) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(more.iter().cloned());
    if roots.is_empty() { Err(Error::NoRoots) } else { trusting(roots) }
}

fn trusting(roots: RootCertStore) -> Result<ClientConfig, Error> {
    let client = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Tls(error.to_string()))?;
    Ok(client.with_root_certificates(roots).with_no_client_auth())
}

fn add(roots: &mut RootCertStore, path: &Path) -> Result<(), Error> {
    let unusable = |reason: String| Error::Roots { path: path.to_owned(), reason };
    let certificates =
        CertificateDer::pem_file_iter(path).and_then(|found| found.collect::<Result<Vec<_>, _>>());
    let certificates = certificates.map_err(|error| {
        unusable(match error {
            pem::Error::Io(error) => error.to_string(),
            other => other.to_string(),
        })
    })?;
    if certificates.is_empty() {
        return Err(unusable("no certificate in it".to_owned()));
    }
    for certificate in certificates {
        roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
    }
    Ok(())
}
