//! Consent boxes as their libraries show them, each mechanism in a page of our own:
//! - our own selectors hide a box before the document runs a script, in frames and frames of other origins too;
//! - what a box locks is let go, also when both come late; a page without a box stays as it is;
//! - rules with `:style()` and `:remove()` are carried out.
//!
//! The libraries themselves are captured by benches/consent/run.py.

use std::sync::Arc;

use tintype::origin::Origin;
use tintype::origin::chrome::{Config, Engine, FilterList, FilterLists};
use tokio::net::TcpListener;

use crate::chrome_site::{ALLOWED, Pixels, Site, config, html, picture, shoot, start_with};
use crate::chrome_ssrf_roads::Names;

const RED: [u8; 3] = [255, 0, 0];
const LIME: [u8; 3] = [0, 255, 0];
const BLOCK: &str = "block_cookie_banners=true";

fn engine(filters: FilterLists) -> Arc<Engine> {
    let names = Names::new(["page.test", "frame.test"].map(|host| (host, vec!["127.0.0.2"])));
    start_with(Config { filters, ..config() }, names)
}

async fn site(pages: Vec<(&'static str, String)>) -> (Site, u16) {
    let listener = TcpListener::bind((ALLOWED, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let with_port = |page: String| page.replace("PORT", &port.to_string());
    let answers = pages.into_iter().map(|(path, page)| (path, html(with_port(page))));
    (Site::serve(listener, answers), port)
}

/// Whether a box that was just made is hidden, said by the colour of the page.
const PROBE: &str = "<!doctype html><body style='margin:0;background:#f00'><script>\
    document.body.insertAdjacentHTML('beforeend', '<div id=tarteaucitronRoot>box</div>');\
    const hidden = getComputedStyle(document.getElementById('tarteaucitronRoot')).display === 'none';\
    document.body.style.background = hidden ? '#0f0' : '#f00';</script>";

/// "tarteaucitron with block_cookie_banners=true: 10 of 40 viewports still have the banner" (npm tarteaucitronjs 1.34.0):
/// the box came between hiding and shooting.
#[tokio::test]
async fn own_selectors_are_in_before_the_document() {
    let frames =
        "<!doctype html><style>body{margin:0}iframe{display:block;border:0;width:100px;height:50px}</style>\
        <iframe src='/probe'></iframe><iframe src='http://frame.test:PORT/probe'></iframe>"
            .to_owned();
    let srcdoc = format!("{frames}<iframe srcdoc=\"{}\"></iframe>", PROBE.replace('"', "&quot;"));
    let (_site, port) = site(vec![("/probe", PROBE.to_owned()), ("/frames", srcdoc)]).await;
    let engine = engine(FilterLists::default());
    for (path, query, ys, expected) in [
        ("/probe", BLOCK, vec![100], LIME),
        ("/probe", "block_ads=true", vec![100], RED),
        ("/probe", "", vec![100], RED),
        ("/frames", BLOCK, vec![20, 70, 120], LIME),
        ("/frames", "", vec![20, 70, 120], RED),
    ] {
        let url = format!("http://page.test:{port}{path}");
        let shown = Pixels::decode(&picture(shoot(&engine, &url, query).await));
        for y in ys {
            assert_eq!(shown.at(90, y), expected, "{path} {query} {y}");
        }
    }
    engine.shutdown().await;
}

/// A page of 900 pixels with this style, into which a timer puts a box and its lock.
fn late(style: &str, lock: &str) -> String {
    format!(
        "<!doctype html><style>html,body{{margin:0}}main{{display:block;height:900px;background:#0f0}}\
         #tarteaucitronRoot{{position:fixed;inset:0;background:#f00}}{style}</style><main></main><script>\
         setTimeout(() => {{ document.body.insertAdjacentHTML('beforeend', '<div id=tarteaucitronRoot></div>'); {lock};\
         document.body.dataset.late = 1 }}, 300)</script>"
    )
}

/// How libraries lock a page: a class on html (npm tarteaucitronjs 1.34.0, orejime 2.3.3), a shade of html or body that is no
/// element (npm vanilla-cookieconsent 3.1.0), a fixed body (bootstrap#21256), a blur behind the box.
#[tokio::test]
async fn what_a_late_box_locks_is_let_go() {
    let locks = [
        (
            "/class",
            late(
                "html.locked{overflow:hidden !important;height:100%}html.locked body{overflow:hidden;height:100%}",
                "document.documentElement.className = 'locked'",
            ),
        ),
        (
            "/strong",
            late(
                "#a#b#c, html.locked:not(#x#y) body.locked:not(#z){overflow:hidden !important;height:100%}",
                "document.documentElement.className = document.body.className = 'locked'",
            ),
        ),
        ("/inline", late("", "document.body.style.cssText = 'overflow:hidden !important;height:100%'")),
        (
            "/fixed",
            late("", "document.body.style.cssText = 'position:fixed;top:-40px;width:100%;overflow:hidden'"),
        ),
        ("/blur", late("", "document.body.style.cssText = 'filter:blur(90px);overflow:hidden;height:100%'")),
        (
            "/behind",
            late("main.behind{filter:blur(90px)}", "document.querySelector('main').className = 'behind'"),
        ),
        (
            "/shade",
            late(
                "html.shaded::before{content:'';position:fixed;inset:0;background:#f00;z-index:9}",
                "document.documentElement.className = 'shaded'",
            ),
        ),
    ];
    let paths = locks.each_ref().map(|(path, _)| *path);
    let (_site, port) = site(locks.into()).await;
    let engine = engine(FilterLists::default());
    for path in paths {
        let url = format!("http://page.test:{port}{path}");
        let query = format!("full_page=true&wait_for_selector=body[data-late]&{BLOCK}");
        let answer = shoot(&engine, &url, &query).await;
        assert_eq!(answer.as_ref().unwrap().headers()["x-page-height"], "900", "{path}");
        let shown = Pixels::decode(&picture(answer));
        for y in [2, 450, 897] {
            assert_eq!(shown.at(5, y), LIME, "{path} {y}");
        }
        // It was there, and locked something.
        let answer = shoot(&engine, &url, "full_page=true&wait_for_selector=body[data-late]").await;
        let shown = Pixels::decode(&picture(answer));
        assert_ne!(shown.at(5, 2), LIME, "{path}");
    }
    engine.shutdown().await;
}

/// A page may lock itself without a consent box, as applications with their own scrolling do: it stays as it is.
#[tokio::test]
async fn a_page_without_a_box_keeps_its_locks() {
    let page = "<!doctype html><style>html{overflow:hidden;height:100%}body{margin:0;position:fixed;inset:0;\
        overflow:hidden}main{display:block;width:60px;height:60px;background:#00f;filter:blur(9px)}\
        body::before{content:'';position:fixed;inset:0;background:rgb(0 255 0 / 20%);z-index:3}p{height:2000px}</style>\
        <main></main><p>text</p><div class=cookie-banners>not a box</div>";
    let (_site, port) = site(vec![("/", page.to_owned())]).await;
    let engine = engine(FilterLists::default());
    let url = format!("http://page.test:{port}/");
    for area in ["", "full_page=true"] {
        let plain = picture(shoot(&engine, &url, area).await);
        let blocked = picture(shoot(&engine, &url, &format!("{area}&{BLOCK}")).await);
        assert_eq!(plain, blocked, "{area}");
    }
    engine.shutdown().await;
}

/// The places of a box: a `<dialog>` in the top layer, a host of a shadow tree (npm @porscheofficial/cookie-consent-banner 4.1.0),
/// a box inside a shadow tree, a frame; a box whose own rules are stronger (npm cookiecraft 1.0.11), on a page that
/// replaces the list of sheets.
#[tokio::test]
async fn boxes_are_hidden_wherever_they_are() {
    let page = |script: &str| {
        format!(
            "<!doctype html><body style='margin:0;background:#0f0'><script>{script};document.body.dataset.late = 1</script>"
        )
    };
    let red = "position:fixed;inset:0;width:100%;height:100%;max-width:none;max-height:none;border:0;background:#f00";
    let shadow = |host: &str, inner: &str| {
        page(&format!(
            "const host = document.body.appendChild(document.createElement('{host}'));\
             host.attachShadow({{ mode: 'open' }}).innerHTML = `<div class={inner} style='{red}'>box</div>`"
        ))
    };
    let pages = vec![
        (
            "/dialog",
            page(&format!(
                "document.body.innerHTML = `<dialog class=cookie-consent style='{red}'>box</dialog>`;\
                 document.querySelector('dialog').showModal()"
            )),
        ),
        ("/host", shadow("cookie-consent-banner", "x")),
        ("/inside", shadow("div", "cookie-banner")),
        (
            "/frame",
            page(&format!(
                "document.body.innerHTML = `<iframe id=sp_message_iframe_1 class=cookie-modal style='{red}' srcdoc=box></iframe>`"
            )),
        ),
        (
            "/strong",
            page(&format!(
                "document.body.innerHTML = `<style>#a.cookie-banner.cookie-banner{{display:block !important;{red}}}</style>\
                 <div id=a class=cookie-banner>box</div>`"
            )),
        ),
        (
            "/replaced",
            page(&format!(
                "document.adoptedStyleSheets = [new CSSStyleSheet()];\
                 document.body.innerHTML = `<div class=cookie-banner style='{red}'>box</div>`"
            )),
        ),
    ];
    let paths: Vec<&str> = pages.iter().map(|(path, _)| *path).collect();
    let (_site, port) = site(pages).await;
    let engine = engine(FilterLists::default());
    for path in paths {
        let url = format!("http://page.test:{port}{path}");
        for (query, expected) in [("", RED), (BLOCK, LIME)] {
            let shown = shoot(&engine, &url, &format!("wait_for_selector=body[data-late]&{query}")).await;
            assert_eq!(Pixels::decode(&picture(shown)).at(100, 100), expected, "{path} {query}");
        }
    }
    engine.shutdown().await;
}

/// Boxes whose names were missing from the list, built as their libraries build them: a modal dialog at the end of the body (npm
/// @canonical/cookie-policy 3.10.0), a host of a shadow tree before the content (npm cookie-though 1.7.3), a band in the flow
/// (npm govuk-frontend 5.11.0). An article about cookies that has the class of the dialog stays.
#[tokio::test]
async fn boxes_with_names_of_their_own_are_hidden() {
    let page = |script: &str| {
        format!(
            "<!doctype html><style>html,body{{margin:0;background:#0f0}}main{{display:block;height:900px;background:#0f0}}\
             .box{{position:fixed;inset:0;width:100%;height:100%;max-width:none;max-height:none;border:0;background:#f00}}\
             .band{{height:300px;background:#f00}}</style><main></main><script>{script};document.body.dataset.late = 1</script>"
        )
    };
    let pages = vec![
        (
            "/dialog",
            page(
                "const box = document.createElement('dialog'); box.classList.add('cookie-policy', 'box'); box.open = true;\
                 document.body.appendChild(box); box.close(); box.showModal()",
            ),
        ),
        (
            "/host",
            page(
                "const host = document.createElement('aside'); host.className = 'cookie-though';\
                 host.attachShadow({ mode: 'open' }).innerHTML =\
                 '<style>div{position:fixed;inset:0;background:#f00}</style><div class=ct-banner>box</div>';\
                 document.body.prepend(host)",
            ),
        ),
        (
            "/band",
            page(
                "const band = document.createElement('div'); band.className = 'govuk-cookie-banner band';\
                 document.body.prepend(band)",
            ),
        ),
    ];
    let paths: Vec<&str> = pages.iter().map(|(path, _)| *path).collect();
    let article = page("document.querySelector('main').className = 'cookie-policy'");
    let (_site, port) = site(pages.into_iter().chain([("/article", article)]).collect()).await;
    let engine = engine(FilterLists::default());
    for path in paths {
        let url = format!("http://page.test:{port}{path}");
        for (query, expected) in [("", RED), (BLOCK, LIME)] {
            let query = format!("full_page=true&wait_for_selector=body[data-late]&{query}");
            let shown = Pixels::decode(&picture(shoot(&engine, &url, &query).await));
            assert_eq!(shown.at(100, 100), expected, "{path} {query}");
        }
    }
    let url = format!("http://page.test:{port}/article");
    let answer = shoot(&engine, &url, &format!("full_page=true&{BLOCK}")).await;
    assert_eq!(answer.unwrap().headers()["x-page-height"], "900");
    engine.shutdown().await;
}

/// Important styles that win over every sheet of the document: `:host(.cookie-though){display:block!important}` in the shadow
/// tree of a box (npm cookie-though 1.7.3), and an important style of the box itself. What no rule is about, or an exception
/// of the operator's list, stays.
#[tokio::test]
async fn a_box_is_hidden_whatever_its_own_style_says() {
    let page = |script: &str| {
        format!(
            "<!doctype html><body style='margin:0;background:#0f0'><script>{script};document.body.dataset.late = 1</script>"
        )
    };
    let red = "position:fixed;inset:0;background:#f00";
    let host = |name: &str| {
        page(&format!(
            "const host = document.createElement('aside'); host.className = '{name}'; host.style.display = 'none';\
             host.attachShadow({{ mode: 'open' }}).innerHTML =\
             '<style>:host(.{name}){{display:block!important;{red}}}</style><p>box</p>'; document.body.prepend(host)"
        ))
    };
    let inline = |name: &str| {
        page(&format!(
            "document.body.innerHTML = `<div class={name} style='display:block !important;{red}'>box</div>`"
        ))
    };
    let pages = vec![
        ("/host", host("cookie-though")),
        ("/inline", inline("cookie-banner")),
        ("/host-of-the-page", host("menu")),
        ("/inline-of-the-page", inline("menu")),
        ("/host-excepted", host("cookie-modal")),
        ("/inline-excepted", inline("cookie-modal")),
    ];
    let paths: Vec<&str> = pages.iter().map(|(path, _)| *path).collect();
    let (_site, port) = site(pages).await;
    let list = FilterList { path: "own.txt".into(), text: "page.test#@#.cookie-modal".into() };
    let engine = engine(FilterLists { cookies: vec![list], ..FilterLists::default() });
    for path in paths {
        let url = format!("http://page.test:{port}{path}");
        let hidden = ["/host", "/inline"].contains(&path);
        for (query, expected) in [("", RED), (BLOCK, if hidden { LIME } else { RED })] {
            let query = format!("allow_blank=true&wait_for_selector=body[data-late]&{query}");
            let shown = Pixels::decode(&picture(shoot(&engine, &url, &query).await));
            assert_eq!(shown.at(100, 100), expected, "{path} {query}");
        }
    }
    engine.shutdown().await;
}

/// EasyList Cookie unlocks pages by `:style()`, AdGuard by `#$#`; both remove elements, attributes and classes.
#[tokio::test]
async fn rules_with_an_action_are_carried_out() {
    let page = "<!doctype html><style>html,body{margin:0;overflow:hidden;height:100%}p{margin:0;height:100px}\
        .a,.b,.c{background:#f00}.d:empty,.d:not(:has(*)){background:#0f0}main{background:#0f0;height:900px}</style>\
        <p class=a></p><p class=b></p><p class=d><b class=e>x</b></p><main></main>";
    let (_site, port) = site(vec![("/", page.to_owned())]).await;
    let text = "page.test##html, body:style(overflow: visible !important; height: auto !important)\n\
        page.test#$#.a { background: #0f0 !important; }\npage.test##.b:remove-attr(class)\n##.e:remove()\n\
        other.test##main:remove()\n";
    let list = FilterList { path: "own.txt".into(), text: text.into() };
    let engine = engine(FilterLists { cookies: vec![list], ..FilterLists::default() });
    let url = format!("http://page.test:{port}/");
    let white = [255, 255, 255];
    for (query, height, colours) in
        [("", "200", [RED, RED, white, LIME]), (BLOCK, "1200", [LIME, white, LIME, LIME])]
    {
        let answer = shoot(&engine, &url, &format!("full_page=true&{query}")).await;
        let told = answer.as_ref().unwrap().headers()["x-page-height"].to_str().unwrap().to_owned();
        let shown = Pixels::decode(&picture(answer));
        assert_eq!(told, height, "{query}");
        if query == BLOCK {
            assert_eq!(
                [50, 150, 250, 350].map(|y| shown.at(600.min(shown.width - 1), y)),
                colours,
                "{query}"
            );
        } else {
            assert_eq!([50, 150].map(|y| shown.at(5, y)), [colours[0], colours[1]], "{query}");
        }
    }
    engine.shutdown().await;
}
