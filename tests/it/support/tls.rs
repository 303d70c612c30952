//! Certificates made on the spot.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};

/// A self-signed certificate for `localhost` and 127.0.0.1, and its key.
pub(crate) struct Identity {
    /// The certificate in PEM; also the root to trust.
    pub(crate) certificate: String,
    /// The key in PEM.
    pub(crate) key: String,
}

impl Identity {
    /// A new one.
    pub(crate) fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]);
        let made = made.expect("a certificate");
        Identity { certificate: made.cert.pem(), key: made.signing_key.serialize_pem() }
    }

    /// Writes both into `folder` and gives their paths: certificate, key.
    pub(crate) fn write(&self, folder: &std::path::Path) -> (PathBuf, PathBuf) {
        let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
        std::fs::write(&certificate, &self.certificate).expect("a writable folder");
        std::fs::write(&key, &self.key).expect("a writable folder");
        (certificate, key)
    }

    /// A TLS server with this identity and these ALPN protocols.
    pub(crate) fn server(&self, alpn: &[&str]) -> Arc<ServerConfig> {
        let mut config = self.configured(rustls::DEFAULT_VERSIONS);
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }

    /// A TLS server with this identity that speaks these versions.
    pub(crate) fn server_of(&self, versions: &[&'static SupportedProtocolVersion]) -> Arc<ServerConfig> {
        Arc::new(self.configured(versions))
    }

    fn configured(&self, versions: &[&'static SupportedProtocolVersion]) -> ServerConfig {
        let chain = vec![CertificateDer::from_pem_slice(self.certificate.as_bytes()).expect("PEM")];
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("PEM");
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(versions)
            .expect("ring knows them")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a matching key")
    }
}

/// A TLS client that trusts this PEM root, or nobody.
pub(crate) fn trusting(root: Option<&str>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    if let Some(root) = root {
        roots.add(CertificateDer::from_pem_slice(root.as_bytes()).expect("PEM")).expect("a root");
    }
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring knows them")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// A certificate authority of a company's own.
pub(crate) struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    /// Its root in PEM.
    pub(crate) root: String,
}

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Validity {
    /// Now.
    Current,
    /// No more.
    Expired,
}

impl Authority {
    /// A new one with this name.
    pub(crate) fn new(name: &str) -> Self {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).expect("a root").pem();
        Authority { issuer: rcgen::Issuer::new(params, key), root }
    }

    /// A TLS server whose certificate it signed for these hosts.
    pub(crate) fn server(&self, hosts: &[&str], validity: Validity) -> Arc<ServerConfig> {
        let key = rcgen::KeyPair::generate().expect("a key");
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = rcgen::CertificateParams::new(hosts).expect("names");
        params.distinguished_name.push(rcgen::DnType::CommonName, "server");
        if validity == Validity::Expired {
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        }
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .expect("ring knows them")
                .with_no_client_auth()
                .with_single_cert(vec![certificate.der().clone()], key)
                .expect("a matching key");
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(config)
    }
}
