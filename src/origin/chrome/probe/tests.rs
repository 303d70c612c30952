use crate::message::fields::lines;
use crate::origin::chrome::probe::*;

const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// Only a condition that names one picture can be answered without looking.
#[test]
fn condition_table() {
    for (fields, expected) in [
        (vec![], false),
        (vec![("if-none-match", "\"a\"")], false),
        (vec![("if-modified-since", "yesterday")], false),
        (vec![("if-modified-since", THEN)], true),
        (vec![("if-modified-since", THEN), ("if-none-match", "\"a\"")], true),
        (vec![("if-modified-since", THEN), ("if-none-match", "W/\"a\"")], false),
        (vec![("if-modified-since", THEN), ("if-none-match", "*")], false),
        (vec![("if-modified-since", THEN), ("if-none-match", "\"a\", \"b\"")], false),
        (vec![("if-modified-since", THEN), ("if-none-match", "\"a\""), ("if-none-match", "\"b\"")], false),
    ] {
        assert_eq!(Condition::of(&lines(&fields)).is_some(), expected, "{fields:?}");
    }
}

/// What a visitor has is for whom it was meant.
#[test]
fn secrets_stay_at_home() {
    let visitor = Visitor {
        headers: vec![("authorization".into(), "Bearer x".into()), ("host".into(), "evil".into())],
        cookies: vec![("a".into(), "b".into()), ("c".into(), "d".into())],
        user_agent: Some("me".into()),
        locale: Some("de-CH".into()),
        ..Visitor::default()
    };
    let identity = Identity::of(&Default::default(), &visitor, &Default::default());
    let first = Url::parse("http://a.example/x").expect("a URL");
    for (url, target, host, cookies, authorized) in [
        ("http://a.example/y?z#f", "/y?z", "a.example", true, true),
        ("http://a.example:8080/", "/", "a.example:8080", true, false),
        ("https://a.example/", "/", "a.example", true, false),
        ("http://b.example/", "/", "b.example", false, false),
        ("http://www.a.example/", "/", "www.a.example", false, false),
    ] {
        let request = request(&Url::parse(url).expect("a URL"), &first, &visitor, &identity);
        assert_eq!(request.uri(), target);
        assert_eq!(request.headers()["host"], host);
        assert_eq!(request.headers()["user-agent"], "me");
        assert_eq!(request.headers()["accept-language"], "de-CH,de;q=0.9");
        assert_eq!(request.headers().contains_key("authorization"), authorized, "{url}");
        let sent = request.headers().get("cookie").map(|value| value.as_bytes());
        assert_eq!(sent, cookies.then_some(&b"a=b; c=d"[..]), "{url}");
    }
    let (first, url) = (Url::parse("https://a.example/"), Url::parse("http://a.example/"));
    let exposed = request(&url.expect("a URL"), &first.expect("a URL"), &visitor, &identity);
    assert!(!exposed.headers().contains_key("cookie") && !exposed.headers().contains_key("authorization"));
}

/// A server behind TLS that answers the requests it gets, on one connection each, with these heads; and who trusts it.
async fn behind_tls(heads: Vec<String>) -> (u16, Arc<ClientConfig>, tokio::task::JoinHandle<Vec<String>>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let made = rcgen::generate_simple_self_signed(["page.test".to_owned()]).expect("a certificate");
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = || Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider());
    let server = server.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
    let server = server.with_single_cert(vec![made.cert.der().clone()], key).expect("a server");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a root");
    let client = ClientConfig::builder_with_provider(provider());
    let client = client.with_safe_default_protocol_versions().expect("versions");
    let client = client.with_root_certificates(roots).with_no_client_auth();

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
    let serving = tokio::spawn(async move {
        let mut asked = Vec::new();
        for head in heads {
            let (stream, _) = listener.accept().await.expect("a connection");
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.expect("a request"));
            }
            asked.push(String::from_utf8_lossy(&request).lines().next().unwrap_or_default().to_owned());
            stream.write_all(head.as_bytes()).await.expect("an answer");
        }
        asked
    });
    (port, Arc::new(client), serving)
}

#[derive(Debug)]
struct Home;

impl crate::origin::chrome::resolver::Resolver for Home {
    fn resolve<'a>(
        &'a self,
        _: &'a str,
    ) -> futures_util::future::BoxFuture<'a, std::io::Result<Vec<std::net::IpAddr>>> {
        Box::pin(async { Ok(vec![std::net::Ipv4Addr::LOCALHOST.into()]) })
    }
}

/// Over TLS as in the open, a redirect on the way; whom nobody vouches for is not believed.
#[tokio::test]
async fn pages_behind_tls_are_asked_too() {
    let config = crate::origin::chrome::config::Config {
        allow_hosts: vec!["page.test".parse().unwrap()],
        ..crate::origin::chrome::config::tests::config()
    };
    let guard = Arc::new(Guard::new(&config, Arc::new(Home)));
    let how = Probe { timeout: Duration::from_secs(20), unchanged_on_error: false };
    let condition = Condition::of(&lines(&[("if-modified-since", THEN)])).expect("a condition");
    for (modified, trusted, ignores_certificates, expected) in [
        ("Sun, 06 Nov 1994 08:49:36 GMT", true, false, Verdict::Unchanged),
        (THEN, true, false, Verdict::Changed),
        ("Sun, 06 Nov 1994 08:49:36 GMT", false, false, Verdict::Changed),
        ("Sun, 06 Nov 1994 08:49:36 GMT", false, true, Verdict::Unchanged),
        (THEN, false, true, Verdict::Changed),
    ] {
        let answered = trusted || ignores_certificates;
        let heads = vec![
            "HTTP/1.1 301 x\r\nlocation: /there?x\r\ncontent-length: 0\r\n\r\n".to_owned(),
            format!("HTTP/1.1 200 OK\r\nlast-modified: {modified}\r\ncontent-length: 5\r\n\r\n"),
        ];
        let (port, tls, serving) = behind_tls(heads).await;
        let mut prober = Prober::new(how, guard.clone(), 1, &[]);
        if trusted {
            prober.tls = Some(tls);
        }
        let url = Url::parse(&format!("https://page.test:{port}/")).expect("a URL");
        let target = Target { url: &url, egress: None, ignores_certificates };
        let identity = Identity::of(&Default::default(), &Visitor::default(), &Default::default());
        let verdict = prober.ask(target, &condition, &Visitor::default(), &identity).await;
        assert_eq!(verdict, expected, "{modified} {trusted}");
        if answered {
            assert_eq!(serving.await.expect("served"), ["HEAD / HTTP/1.1", "HEAD /there?x HTTP/1.1"]);
        } else {
            serving.abort();
        }
        let failed = prober.counts()[2];
        assert!(answered && failed == 0 || !answered && failed <= 1, "{failed}");
    }
}
