//! Which certificates of pages are trusted: the roots of `page_ca`, and requests that ignore errors.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// Further trusted roots for pages, beside those that the browser has.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PageRoots(Vec<CertificateDer<'static>>);

/// Why a file has no roots.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageRootsError {
    /// It is no PEM, or its PEM is broken.
    #[error("not PEM: {0}")]
    Pem(String),
    /// There is no certificate in it.
    #[error("no certificate in it")]
    Empty,
    /// A certificate in it cannot be a root.
    #[error("certificate {0} in it is not usable: {1}")]
    Unusable(usize, String),
}

/// What is wrong with a certificate that leads to a root of `page_ca`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// Its time is over.
    #[error("it expired")]
    Expired,
    /// Its time has not come.
    #[error("it is not valid yet")]
    NotValidYet,
    /// It is for other hosts.
    #[error("it is not for this host")]
    WrongHost,
}

impl PageRoots {
    /// Adds every certificate of a PEM file.
    ///
    /// # Errors
    /// If there is none, or one that cannot be a root.
    pub fn add_pem(&mut self, pem: &[u8]) -> Result<(), PageRootsError> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let found = found.map_err(|error| PageRootsError::Pem(error.to_string()))?;
        if found.is_empty() {
            return Err(PageRootsError::Empty);
        }
        for (at, certificate) in found.iter().enumerate() {
            let added = RootCertStore::empty().add(certificate.clone());
            added.map_err(|error| PageRootsError::Unusable(at + 1, error.to_string()))?;
        }
        self.0.extend(found);
        Ok(())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A TLS client that trusts these roots alone. It resumes no session, by which a site could tell that two captures
    /// come from one place.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub(crate) fn client(&self) -> Result<ClientConfig, TlsSetupError> {
        let mut client = client(Arc::new(ByRoots::new(self)?))?;
        client.resumption = Resumption::disabled();
        Ok(client)
    }

    /// The certificates.
    pub(crate) fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.0
    }
}

/// How many there are; the bytes tell nobody anything.
impl fmt::Debug for PageRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageRoots({})", self.0.len())
    }
}

/// Why TLS towards pages cannot be set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct TlsSetupError {
    cause: String,
}

impl TlsSetupError {
    /// Because of `error`, of whichever library.
    pub(crate) fn of(error: impl std::error::Error) -> Self {
        TlsSetupError { cause: error.to_string() }
    }
}

impl CertificateFault {
    /// What `error` says of a certificate that leads to one of the roots; `None` if it leads elsewhere or says nothing
    /// of a certificate.
    pub(crate) fn of(error: &Error) -> Option<CertificateFault> {
        let Error::InvalidCertificate(error) = error else { return None };
        match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                Some(CertificateFault::Expired)
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Some(CertificateFault::NotValidYet)
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Some(CertificateFault::WrongHost)
            }
            _ => None,
        }
    }
}

/// Trusts the roots of `page_ca` alone, and tells faults of their certificates from unknown issuers.
#[derive(Debug)]
struct ByRoots {
    verifier: Arc<WebPkiServerVerifier>,
    roots: PageRoots,
}

impl ByRoots {
    fn new(roots: &PageRoots) -> Result<Self, TlsSetupError> {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(roots.0.iter().cloned());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider()).build();
        let verifier = verifier.map_err(TlsSetupError::of)?;
        Ok(ByRoots { verifier, roots: roots.clone() })
    }
}

impl ServerCertVerifier for ByRoots {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verify =
            |at| self.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, at);
        let error = match verify(now) {
            Ok(verified) => return Ok(verified),
            Err(error) => error,
        };
        match &error {
            // webpki looks at the time before it looks for the issuer. Whether the issuer is one of ours shows at a
            // time at which the certificate is valid.
            Error::InvalidCertificate(
                CertificateError::ExpiredContext { not_after: valid_at, .. }
                | CertificateError::NotValidYetContext { not_before: valid_at, .. },
            ) => match verify(*valid_at) {
                Ok(_) => Err(error),
                Err(other) if CertificateFault::of(&other).is_some() => Err(error),
                Err(_) => Err(CertificateError::UnknownIssuer.into()),
            },
            // A self-signed certificate that says it is an authority, as `openssl req -x509` makes them: webpki takes
            // none for a server, once its time has been found right. The operator listed this very certificate.
            Error::InvalidCertificate(CertificateError::Other(_))
                if self.roots.0.iter().any(|root| root == end_entity) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            _ => Err(error),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// A TLS client that takes every certificate, for what a request with `ignore_https_errors` is answered from.
///
/// # Errors
/// If TLS cannot be set up.
pub(crate) fn unverified_client() -> Result<ClientConfig, TlsSetupError> {
    client(Arc::new(Unverified(provider())))
}

/// Takes every certificate whose key the server has.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn client(verifier: Arc<dyn ServerCertVerifier>) -> Result<ClientConfig, TlsSetupError> {
    let client = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(TlsSetupError::of)?;
    Ok(client.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
    use std::time::Duration;

    /// An authority, and what it signs.
    struct Authority {
        issuer: Issuer<'static, KeyPair>,
        pem: String,
    }

    fn params(name: &str, hosts: &[&str]) -> CertificateParams {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2030, 1, 1));
        params
    }

    impl Authority {
        fn new(name: &str) -> Self {
            let (mut params, key) = (params(name, &[]), KeyPair::generate().unwrap());
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let pem = params.self_signed(&key).unwrap().pem();
            Authority { issuer: Issuer::new(params, key), pem }
        }

        fn sign(&self, params: &CertificateParams) -> CertificateDer<'static> {
            params.signed_by(&KeyPair::generate().unwrap(), &self.issuer).unwrap().der().clone()
        }
    }

    fn roots(pem: &str) -> PageRoots {
        let mut roots = PageRoots::default();
        roots.add_pem(pem.as_bytes()).unwrap();
        roots
    }

    /// Days since 1970 of 1 January of these years.
    fn at(year: u64) -> UnixTime {
        let days = [(2019, 17_897), (2025, 20_089), (2031, 22_280)];
        let (_, days) = days.into_iter().find(|(known, _)| *known == year).unwrap();
        UnixTime::since_unix_epoch(Duration::from_secs(days * 86_400))
    }

    #[test]
    fn certificates_of_own_and_other_authorities() {
        let (own, other) = (Authority::new("Own Root"), Authority::new("Other Root"));
        let leaf = params("leaf", &["a.test", "127.0.0.2"]);
        let mut authority = params("self-signed authority", &["a.test"]);
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let selfmade = authority.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let plain = leaf.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let trusted = [own.pem.clone(), selfmade.pem(), plain.pem()].concat();
        let verifier = ByRoots::new(&roots(&trusted)).unwrap();
        let unknown_self_signed = authority.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let fault = |fault| Err(Some(fault));
        for (name, certificate, host, year, expected) in [
            ("own", own.sign(&leaf), "a.test", 2025, Ok(())),
            ("own, by address", own.sign(&leaf), "127.0.0.2", 2025, Ok(())),
            ("own, expired", own.sign(&leaf), "a.test", 2031, fault(CertificateFault::Expired)),
            ("own, too early", own.sign(&leaf), "a.test", 2019, fault(CertificateFault::NotValidYet)),
            ("own, wrong host", own.sign(&leaf), "b.test", 2025, fault(CertificateFault::WrongHost)),
            ("own, both", own.sign(&leaf), "b.test", 2031, fault(CertificateFault::Expired)),
            ("other", other.sign(&leaf), "a.test", 2025, Err(None)),
            ("other, expired", other.sign(&leaf), "a.test", 2031, Err(None)),
            ("other, wrong host", other.sign(&leaf), "b.test", 2025, Err(None)),
            ("listed itself", plain.der().clone(), "a.test", 2025, Ok(())),
            ("listed itself, expired", plain.der().clone(), "a.test", 2031, fault(CertificateFault::Expired)),
            ("listed authority itself", selfmade.der().clone(), "a.test", 2025, Ok(())),
            ("listed authority, expired", selfmade.der().clone(), "a.test", 2031, Err(None)),
            (
                "listed authority, wrong host",
                selfmade.der().clone(),
                "b.test",
                2025,
                fault(CertificateFault::WrongHost),
            ),
            ("unlisted authority itself", unknown_self_signed.der().clone(), "a.test", 2025, Err(None)),
        ] {
            let host = ServerName::try_from(host).unwrap();
            let verified = verifier.verify_server_cert(&certificate, &[], &host, &[], at(year));
            let verified = verified.map(|_| ()).map_err(|error| CertificateFault::of(&error));
            assert_eq!(verified, expected, "{name}");
        }
    }

    #[test]
    fn pem_files_with_and_without_roots() {
        let (one, two) = (Authority::new("One").pem, Authority::new("Two").pem);
        let key = KeyPair::generate().unwrap().serialize_pem();
        for (pem, expected) in [
            (one.clone(), Ok(1)),
            (format!("# roots\n{one}\n{two}"), Ok(2)),
            (format!("{key}{one}"), Ok(1)),
            (String::new(), Err(PageRootsError::Empty)),
            (key, Err(PageRootsError::Empty)),
            ("text".to_owned(), Err(PageRootsError::Empty)),
        ] {
            let mut roots = PageRoots::default();
            assert_eq!(roots.add_pem(pem.as_bytes()).map(|()| roots.certificates().len()), expected, "{pem}");
        }
        let broken = one.replacen("MII", "AAA", 1);
        let cut = one.split_at(200).0.to_owned();
        let add = |pem: &str| PageRoots::default().add_pem(pem.as_bytes());
        assert!(matches!(add(&format!("{two}{broken}")), Err(PageRootsError::Unusable(2, _))));
        assert!(matches!(add(&cut), Err(PageRootsError::Pem(_) | PageRootsError::Empty)));
    }
}
