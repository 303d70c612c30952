//! Reads settings that name files of certificates.

use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::problem::Kind;
use super::section::Section;

/// Reads the path of a file with further trusted roots.
pub(super) fn certificates(s: &mut Section<'_>, key: &str) -> Option<PathBuf> {
    let file = s.file(key, "a PEM file with further trusted roots")?;
    if !has_certificate(&file) {
        let found = format!("no certificate in {}", file.display());
        s.refuse(key, Kind::Malformed, found, "a PEM file with at least one certificate");
    }
    Some(file)
}

/// Whether a PEM file holds at least one certificate, and only valid ones.
pub(super) fn has_certificate(file: &Path) -> bool {
    let Ok(certificates) = CertificateDer::pem_file_iter(file) else { return false };
    let certificates: Vec<_> = certificates.collect();
    !certificates.is_empty() && certificates.iter().all(Result::is_ok)
}
