//! What single decisions on the way of a request cost: the key of a picture, reuse, the record, and the short way of a hit before and
//! after the table of prepared answers.
#![allow(clippy::expect_used, reason = "a benchmark that cannot run should say so")]

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tintype::capture::{Canonical, Defaults};
use tintype::clock::Timestamp;
use tintype::message::plain;
use tintype::policy::admission::{RequestFacts, Terms, admit};
use tintype::policy::directives::RequestDirectives;
use tintype::policy::reuse;
use tintype::policy::stored::StoredResponse;
use tintype::store::{Content, Handle, Record};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn stored() -> StoredResponse {
    let mut fields = HeaderMap::new();
    for (name, value) in [
        ("cache-control", "max-age=900, stale-while-revalidate=60"),
        ("content-type", "image/png"),
        ("content-length", "100000"),
        ("etag", "\"0123456789abcdef\""),
        ("last-modified", "Fri, 15 Jan 2027 08:00:00 GMT"),
        ("date", "Fri, 15 Jan 2027 08:00:00 GMT"),
    ] {
        fields.insert(name, HeaderValue::from_static(value));
    }
    let facts = RequestFacts { method: &Method::GET, fields: &HeaderMap::new(), sent: NOW };
    admit(facts, StatusCode::OK, &fields, NOW, &Terms::default()).expect("storable")
}

fn decisions(bench: &mut Criterion) {
    let query = "url=https%3A%2F%2Fexample.com%2Fa%2Fpage%3Fq%3D1&fullPage=true&viewport_width=1280&retina=1&format=png";
    bench.bench_function("key of a capture", |b| {
        let defaults = Defaults::default();
        b.iter(|| {
            Canonical::read(black_box(query), None, &defaults).map(|canonical| canonical.parameters.query())
        });
    });

    let head = stored();
    bench.bench_function("reuse", |b| {
        let (request, now) = (RequestDirectives::default(), NOW + Duration::from_secs(10));
        b.iter(|| reuse::decide(black_box(&head), &request, now));
    });
    bench.bench_function("directives of a request", |b| {
        let fields =
            HeaderMap::from_iter([(http::header::CACHE_CONTROL, HeaderValue::from_static("max-age=60"))]);
        b.iter(|| RequestDirectives::of(black_box(&fields)));
    });
    bench.bench_function("admission", |b| b.iter(stored));

    let content = Content::Response { head: head.into(), body: Bytes::from(vec![7; 100_000]) };
    let record = Record::new(7, vec![Handle::of_key(b"a"), Handle::of_host("example.com")], content);
    let bytes: Bytes = [record.encode_head().expect("a head"), record.body().to_vec()].concat().into();
    bench.bench_function("record, encode", |b| b.iter(|| black_box(&record).encode_head()));
    bench.bench_function("record, decode", |b| b.iter(|| Record::decode(black_box(bytes.clone()))));

    let request = b"GET /screenshot?url=https%3A%2F%2Fexample.com%2Fa%2Fpage&width=1280 HTTP/1.1\r\nHost: shots.example.com\r\n\
        User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: image/avif,image/webp,*/*\r\nAccept-Encoding: gzip\r\n\r\n";
    bench.bench_function("head of a plain request", |b| {
        b.iter(|| matches!(plain::begins(black_box(request), 100), plain::Begins::Plain(..)));
    });
}

criterion_group!(benches, decisions);
criterion_main!(benches);
