//! Whatever text a page makes the browser tell of it, there is a picture at once, or an error at once:
//! - text that is no Unicode, in every place that a page can put text (agent-browser#1666, ferrum#452, chrome-php#666);
//! - frames nested deeper than JSON readers go;
//! - more text than one message may have, which costs nobody else the browser.

use http::Request;
use tintype::message::body::Body;
use tintype::origin::chrome::{Config, Limits};
use tintype::origin::{Origin, OriginError};

use crate::chrome_site::{Answer, Pixels, Site, browser, config, html, picture, shoot, start};

const LIME: [u8; 3] = [0, 255, 0];

/// A lime page of this script. `U` is half of a surrogate pair.
fn page(script: &str) -> Answer {
    html(format!(
        "<!doctype html><body style='margin:0;background:#0f0'><script>const U = '\\ud83d', L = '\\ude00';\
         const later = () => document.body.insertAdjacentHTML('beforeend', '<p id=later>'); {script}</script>"
    ))
}

#[tokio::test]
async fn half_of_a_surrogate_pair_anywhere_costs_no_picture() {
    let frame = |src: &str| {
        format!(
            "const f = document.createElement('iframe'); f.name = U; f.src = '{src}'; document.body.append(f)"
        )
    };
    let worker = "const worker = (text, options) => new Worker(URL.createObjectURL(new Blob([text])), options);\
        worker('postMessage(self.name)', { name: U }).onmessage = later";
    let element = "const e = document.createElement('div'); e.id = U; e.className = 'ads a' + U + ' ' + L;\
        e.setAttribute('data-x', U + '\\\\' + U); e.textContent = 'text' + U; document.body.append(e)";
    let asks =
        "fetch('/asked?' + U, { method: 'POST', body: U }).finally(later); new Image().src = '/image?' + L";
    let other_names = "window.name = U; document.title = U + L + U; history.replaceState({ [U]: L }, U, '#' + U);\
        console.log(U); console.error({ [U]: [L] }); localStorage[U] = U; document.cookie = 'a=' + U;";
    let names = "block_ads=true&block_cookie_banners=true&block_trackers=true";
    let site = Site::start([
        ("/", page("")),
        ("/asked", Answer::Now(200, "text/plain", "x".into())),
        ("/frame", page(&frame("/"))),
        ("/frames", page(&frame("/frame"))),
        ("/worker", page(worker)),
        ("/element", page(element)),
        ("/asks", page(asks)),
        ("/names", page(other_names)),
        ("/throws", page("setTimeout(later); Promise.reject(U); throw new Error(U)")),
        ("/dialog", page("alert(U); confirm(L); prompt(U, L); later()")),
        ("/source", page("eval('later()\\n//# sourceURL=' + U)")),
        ("/goes", page("if (!location.search) location = '?x=' + U + '#' + L")),
    ])
    .await;
    let engine = start(config());
    for (path, query) in [
        ("/frame", ""),
        ("/frame", names),
        ("/frame", "freeze_time=true"),
        ("/frames", names),
        ("/frames", "full_page=true"),
        ("/worker", "wait_for_selector=%23later"),
        ("/worker", "wait_for_selector=%23later&freeze_time=true"),
        ("/worker", "wait_for_selector=%23later&headers=x-a:+1"),
        ("/element", names),
        ("/element", "selector=body"),
        ("/element", "wait_for_selector=%5Bdata-x%5D"),
        ("/element", "fail_on_content=no+such+text"),
        ("/element", "hide_selectors=.ads"),
        ("/asks", "wait_for_selector=%23later&block_resources=image"),
        ("/asks", "wait_for_selector=%23later&headers=x-a:+1"),
        ("/names", names),
        ("/names", "js=document.title"),
        ("/names", "js=return+document.title"),
        ("/throws", "wait_for_selector=%23later"),
        ("/dialog", "wait_for_selector=%23later"),
        ("/source", "wait_for_selector=%23later"),
        ("/goes", ""),
    ] {
        let shown = Pixels::decode(&picture(shoot(&engine, &site.url(path), query).await));
        // Beside and below the frames.
        assert_eq!(shown.at(shown.width - 2, shown.height - 2), LIME, "{path} {query}");
    }
    for (path, query, name) in [
        ("/element", "fail_on_content=text", "capture-content"),
        ("/", "js=throw+'%5Cud83d'", "capture-script"),
        ("/", "js=throw+new+Error('%5Cud83d')", "capture-script"),
        ("/", "js=await+Promise.reject('%5Cud83d')", "capture-script"),
    ] {
        let error = shoot(&engine, &site.url(path), query).await.unwrap_err();
        assert_eq!(error.name(), name, "{path} {query}: {error}");
    }
    engine.shutdown().await;
}

/// What `JSON.stringify` makes of a page that was read elsewhere.
#[tokio::test]
async fn a_given_document_may_hold_half_of_a_surrogate_pair() {
    let engine = start(config());
    for body in [
        r#"{ "html": "<body style='margin:0;background:#0f0'>\ud83d<p title=\udc00>" }"#,
        r#"{ "markdown": "\ud83d <style>body { background: #0f0 !important }</style>" }"#,
        r#"{ "html": "<body>\ud83d", "css": ["/* \udc00 */ body { background: #0f0 }"], "js": "'\\ud83d\ud83d'" }"#,
    ] {
        let request = Request::post("http://shots.example/screenshot");
        let request = request.header("content-type", "application/json").body(Body::whole(body)).unwrap();
        let shown = Pixels::decode(&picture(engine.fetch(request).await));
        assert_eq!(shown.at(310, 190), LIME, "{body}");
    }
    engine.shutdown().await;
}

/// Chrome tells of frames in frames as objects in objects, up to some 145 of them, and of none beyond.
#[tokio::test]
async fn frames_may_be_nested_as_deep_as_the_browser_lets_them() {
    let nested = |levels: u32| {
        page(&format!(
            "let inner = document; for (let n = 0; n < {levels}; n++) {{ const f = inner.createElement('iframe');\
             f.name = U; inner.body.append(f); inner = f.contentDocument }}\
             document.body.insertAdjacentHTML('beforeend', '<div class=box>')"
        ))
    };
    // serde_json's own limit is at 62, Chrome's at some 145.
    let site = Site::start([("/70", nested(70)), ("/150", nested(150))]).await;
    let list = "##.box\n";
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), list).unwrap();
    let lists = tintype::origin::chrome::FilterList { path: file.path().to_owned(), text: list.into() };
    let filters = tintype::origin::chrome::FilterLists { ads: vec![lists], ..Default::default() };
    let engine = start(Config { filters, ..config() });
    let box_is_red = "css=.box%7Bposition:fixed;inset:0;background:red%7D";
    for path in ["/70", "/150"] {
        picture(shoot(&engine, &site.url(path), "").await);
        // What is hidden in the page itself does not depend on the frames in it.
        let query = format!("block_ads=true&{box_is_red}");
        let shown = Pixels::decode(&picture(shoot(&engine, &site.url(path), &query).await));
        assert_eq!(shown.at(310, 190), LIME, "{path}");
    }
    engine.shutdown().await;
}

/// A text that is longer than what is read of one message: the page fails, the browser and all its other pages live on.
#[tokio::test]
async fn more_text_than_one_message_may_have_costs_the_page_alone() {
    let site = Site::start([
        ("/", page("")),
        ("/waits", page("fetch('/later').then(later)")),
        ("/later", Answer::Together(std::sync::Arc::new(tokio::sync::Barrier::new(2)))),
        ("/prompt", page("prompt('', 'x'.repeat(20 << 20))")),
        ("/hash", page("location.hash = 'x'.repeat(20 << 20)")),
        ("/asks", page("fetch('/', { method: 'POST', body: 'x'.repeat(20 << 20) }).finally(later)")),
    ])
    .await;
    // One message may have some 10 MB then.
    let max_wait = std::time::Duration::from_secs(80);
    let limits = Limits { max_pixels: 1_000_000, max_wait, ..config().limits };
    let engine = start(Config { limits, ..config() });
    let pid = browser(&engine).await;
    let other = tokio::spawn({
        let (engine, url) = (engine.clone(), site.url("/waits"));
        async move { picture(shoot(&engine, &url, "wait_for_selector=%23later").await) }
    });
    site.requested("/later", 1).await;
    for (path, query) in
        [("/prompt", ""), ("/hash", ""), ("/asks", "headers=x-a:+1&wait_for_selector=%23later")]
    {
        match shoot(&engine, &site.url(path), query).await {
            Err(OriginError::Capture(why)) => assert!(why.contains("more than can be read"), "{path}: {why}"),
            other => panic!("{path}: {other:?}"),
        }
    }
    let url = site.url("/later");
    let let_go = shoot(&engine, &url, "");
    let (other, _) = tokio::join!(other, let_go);
    other.unwrap();
    picture(shoot(&engine, &site.url("/"), "").await);
    assert_eq!((engine.stats().browser, engine.stats().restarts), (Some(pid), 0));
    engine.shutdown().await;
}
