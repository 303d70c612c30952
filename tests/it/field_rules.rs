//! What a field means, by its rule: dates in all their forms, variants by meaning, blanks in directives, a 304 of another response, a HEAD that
//! confirms what is stored. The cases are those of the public caching suite, `http-cache-tests`, read by the RFC that each test names.

use crate::support::{Client, Reply, ScriptedOrigin, Tintype};

const ETAG_A: (&str, &str) = ("ETag", "\"a\"");

async fn head(tintype: &Tintype, path: &str) -> crate::support::Answer {
    Client::new().request("HEAD", &tintype.url(path), &[("Cache-Control", "no-cache")], "").await
}

// http-cache-tests: freshness-expires-ansi-c, freshness-expires-rfc850. RFC 9110 section 5.6.7: all three forms are accepted. The
// suite's own date in asctime form has a weekday that is not that of its day.
#[tokio::test]
async fn a_lifetime_is_read_from_a_date_in_each_form() {
    // A minute after the clock of the test.
    let forms = [
        ("/imf", "Sat, 01 Nov 2025 00:01:00 GMT"),
        ("/rfc850", "Saturday, 01-Nov-25 00:01:00 GMT"),
        ("/asctime", "Sat Nov  1 00:01:00 2025"),
        ("/weekday", "Thu Nov  1 00:01:00 2025"),
    ];
    let origin = ScriptedOrigin::start(move |request| {
        let form = forms.iter().find(|(path, _)| request.target == *path);
        Reply::ok("abc").header("Expires", form.map_or("0", |(_, date)| date))
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    for (path, _) in forms {
        tintype.get(path).await;
        assert_eq!(tintype.get(path).await.header("x-cache"), Some("HIT"), "{path}");
    }
    tintype.later(61);
    for (path, _) in forms {
        assert_ne!(tintype.get(path).await.header("x-cache"), Some("HIT"), "{path}");
    }
    assert_ne!(tintype.get("/past").await.header("x-cache"), Some("HIT"));
    assert_ne!(tintype.get("/past").await.header("x-cache"), Some("HIT"));
}

// http-cache-tests: conditional-lm-fresh-rfc850. RFC 9110 section 13.1.3: the date of a condition is compared as a date.
#[tokio::test]
async fn a_condition_holds_whatever_the_form_of_its_date() {
    let origin = ScriptedOrigin::start(|_| {
        let reply = Reply::ok("abc").header("Cache-Control", "max-age=60");
        reply.header("Last-Modified", "Sun Nov  6 08:49:37 1994")
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a").await;
    for (since, status) in [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 304),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 304),
        ("Sun Nov  6 08:49:37 1994", 304),
        ("Mon Nov  6 08:49:37 1994", 304),
        ("Sun Nov  6 08:49:36 1994", 200),
    ] {
        let answer = tintype.get_with("/a", &[("If-Modified-Since", since)]).await;
        assert_eq!(answer.status, status, "{since}");
    }
    assert_eq!(origin.count(), 1);
}

// http-cache-tests: vary-normalise-space, vary-normalise-lang-order, vary-normalise-lang-select. RFC 9111 section 4.1: blanks only where
// the syntax of the field allows them, other spellings only where they are known to mean the same.
#[tokio::test]
async fn variants_that_mean_the_same_are_one() {
    let names = "Accept-Language, Prefer, X-Unknown";
    let origin = ScriptedOrigin::start(move |_| {
        Reply::ok("abc").header("Cache-Control", "max-age=60").header("Vary", names)
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    for (n, (name, first, second, cache)) in [
        ("Accept-Language", "en, de;q=0.5", "de;q=0.5,en", "HIT"),
        ("Accept-Language", "en, de;q=0.5", "DE; q=0.500 , en;q=1", "HIT"),
        ("Accept-Language", "en, de;q=0.5", "de, en;q=0.5", "MISS"),
        ("Accept-Language", "en, de", "fr;q=0.5, de;q=1.0", "MISS"),
        ("Prefer", "wait=5,respond-async", "wait=5,  respond-async", "HIT"),
        ("Prefer", "wait=5,respond-async", "respond-async,wait=5", "MISS"),
        ("X-Unknown", "1, 2", "  1, 2  ", "HIT"),
        // Of a field that is not known, nobody can say whether a comma separates.
        ("X-Unknown", "1,2", "1, 2", "MISS"),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/{n}");
        tintype.get_with(&path, &[(name, first)]).await;
        let again = tintype.get_with(&path, &[(name, second)]).await;
        assert_eq!(again.header("x-cache"), Some(cache), "{name}: {first} and {second}");
    }
}

// http-cache-tests: freshness-max-age-space-before-equals, freshness-max-age-space-after-equals. RFC 9110 section 5.6.3: a recipient removes
// bad whitespace; RFC 2616 section 2.1 allowed it here.
#[tokio::test]
async fn blanks_around_the_equals_sign_of_a_directive_mean_nothing() {
    let cases = [
        ("/before", "max-age =60", "HIT"),
        ("/after", "max-age= 60", "HIT"),
        ("/both", "max-age = 60", "HIT"),
        ("/tab", "max-age\t=\t\"60\"", "HIT"),
        ("/shared", "max-age=60, s-maxage = 0", "MISS"),
        ("/none", "max-age = ", "MISS"),
    ];
    let origin = ScriptedOrigin::start(move |request| {
        let said =
            cases.iter().find(|(path, ..)| request.target == *path).map_or("no-store", |(_, said, _)| said);
        Reply::ok("abc").header("Cache-Control", said).header("Expires", "Sat, 01 Nov 2025 00:01:00 GMT")
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    for (path, said, cache) in cases {
        tintype.get(path).await;
        assert_eq!(tintype.get(path).await.header("x-cache") == Some("HIT"), cache == "HIT", "{said}");
    }
    // In a request as well: what is stored is now too old for the second one.
    tintype.later(10);
    for (asked, hit) in [("max-age = 20", true), ("max-age = 5", false)] {
        let answer = tintype.get_with("/both", &[("Cache-Control", asked)]).await;
        assert_eq!(answer.header("x-cache") == Some("HIT"), hit, "{asked}");
    }
}

// http-cache-tests: 304-etag-update-response-ETag, 304-etag-update-response-Content-MD5. RFC 9111 section 4.3.4: a 304 whose strong tag is
// another one does not select what is stored, nor does one with the digest of other octets. The response is fetched anew.
#[tokio::test]
async fn a_304_that_speaks_of_another_response_freshens_nothing() {
    const MD5_A: (&str, &str) = ("Content-MD5", "rL0Y20zC+Fzt72VPzMSk2A==");
    const MD5_B: (&str, &str) = ("Content-MD5", "N7UdGUp1E+RbVvZSTy1R8g==");
    for (said, confirms) in [
        (&[ETAG_A][..], true),
        (&[("ETag", "W/\"a\"")], true),
        (&[("ETag", "\"b\"")], false),
        (&[("ETag", "b")], false),
        (&[ETAG_A, MD5_A], true),
        (&[ETAG_A, MD5_B], false),
        (&[MD5_B], false),
    ] {
        let origin = ScriptedOrigin::start(move |request| {
            let reply = match request.header("if-none-match") {
                Some(_) => {
                    said.iter().fold(Reply::status(304), |reply, (name, value)| reply.header(name, value))
                }
                None => Reply::ok(request.header("x-body").unwrap_or("new").to_owned())
                    .header(ETAG_A.0, ETAG_A.1)
                    .header(MD5_A.0, MD5_A.1),
            };
            reply.header("Cache-Control", "max-age=60")
        })
        .await;
        let tintype = Tintype::before(&origin).await;
        tintype.get_with("/a", &[("X-Body", "old")]).await;
        tintype.later(61);
        let (body, asked) = if confirms { ("old", 2) } else { ("new", 3) };
        assert_eq!(tintype.get("/a").await.text(), body, "{said:?}");
        let after = tintype.get("/a").await;
        assert_eq!((after.text(), after.header("x-cache")), (body.to_owned(), Some("HIT")), "{said:?}");
        assert_eq!(after.header("content-md5"), Some(MD5_A.1), "{said:?}");
        let requests = origin.requests();
        assert_eq!(requests.len(), asked, "{said:?}");
        // The request that follows such a 304 has no condition.
        let conditions: Vec<_> = requests.iter().map(|r| r.header("if-none-match").is_some()).collect();
        assert_eq!(conditions, [false, true, false][..asked], "{said:?}");
    }
}

// http-cache-tests: head-200-retain, head-200-freshness-update, head-200-update. RFC 9111 section 4.3.5: a 200 to a HEAD that agrees with what
// is stored updates it, and one that does not makes it stale.
#[tokio::test]
async fn a_head_confirms_what_is_stored_or_makes_it_stale() {
    const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (said, length, confirms) in [
        (&[][..], 3, true),
        (&[ETAG_A], 3, true),
        (&[("Last-Modified", MODIFIED)], 3, true),
        (&[("Last-Modified", "Sun Nov  6 08:49:37 1994")], 3, true),
        (&[("Last-Modified", "Sun Nov  6 08:49:38 1994")], 3, false),
        (&[("ETag", "\"b\"")], 3, false),
        (&[("ETag", "W/\"a\"")], 3, false),
        (&[ETAG_A], 4, false),
        (&[ETAG_A, ("Content-MD5", "N7UdGUp1E+RbVvZSTy1R8g==")], 3, false),
    ] {
        let origin = ScriptedOrigin::start(move |request| {
            let reply = match request.method.as_str() {
                "HEAD" => {
                    let reply = Reply::ok("").length(length).header("X-New", "yes");
                    said.iter().fold(reply, |reply, (name, value)| reply.header(name, value))
                }
                _ => Reply::ok("abc")
                    .header(ETAG_A.0, ETAG_A.1)
                    .header("Last-Modified", MODIFIED)
                    .header("Content-MD5", "rL0Y20zC+Fzt72VPzMSk2A==")
                    .header("X-Old", "yes"),
            };
            reply.header("Cache-Control", "max-age=60")
        })
        .await;
        let tintype = Tintype::before(&origin).await;
        tintype.get("/a").await;
        tintype.later(50);
        let answer = head(&tintype, "/a").await;
        assert_eq!((answer.status, answer.header("x-new")), (200, Some("yes")), "{said:?}");
        // What only the stored response says is said of the confirmed one as well.
        assert_eq!(answer.header("x-old"), confirms.then_some("yes"), "{said:?}");
        assert_eq!(answer.header("content-length"), Some(length.to_string().as_str()), "{said:?}");
        // Within the first lifetime where it is contradicted, after it where it is confirmed.
        tintype.later(50 * u64::from(confirms));
        let after = tintype.get("/a").await;
        assert_eq!((after.status, after.text()), (200, "abc".to_owned()), "{said:?}");
        assert_eq!(after.header("x-cache") == Some("HIT"), confirms, "{said:?} {length}");
        assert_eq!(after.header("x-new"), confirms.then_some("yes"), "{said:?}");
        assert_eq!(after.header("content-md5"), Some("rL0Y20zC+Fzt72VPzMSk2A=="), "{said:?}");
    }
}

// RFC 9111 sections 4.3.5 and 5.2.2.5: a HEAD's 200 that confirms what is stored and forbids to store it.
#[tokio::test]
async fn a_head_that_forbids_storing_ends_what_is_stored() {
    let origin = ScriptedOrigin::start(|request| match request.method.as_str() {
        "HEAD" => Reply::ok("").length(3).header("ETag", "\"a\"").header("Cache-Control", "no-store"),
        _ => Reply::ok("abc").header("ETag", "\"a\"").header("Cache-Control", "max-age=60"),
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a").await;
    // What this one client does not want stored says nothing of others.
    let own = [("Cache-Control", "no-cache, no-store")];
    let origin_says = head(&tintype, "/a").await;
    assert_eq!(origin_says.header("cache-control"), Some("no-store"));
    assert_eq!(tintype.get("/a").await.header("x-cache"), Some("MISS"));
    assert_eq!(origin.requests()[2].header("if-none-match"), None);

    let origin = ScriptedOrigin::start(|_| Reply::ok("abc").header("Cache-Control", "max-age=60")).await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a").await;
    Client::new().request("HEAD", &tintype.url("/a"), &own, "").await;
    assert_eq!(tintype.get("/a").await.header("x-cache"), Some("HIT"));
}
