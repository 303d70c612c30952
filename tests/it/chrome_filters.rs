//! What nobody wants on a picture is kept off it, and only where it was asked for:
//! - requests to well-known networks are not made, by page, frames of other origins, and workers;
//! - boxes are hidden, in frames too, and a page that was locked for them goes on;
//! - lists of the operator's count beside our own.

use std::net::Ipv4Addr;
use std::sync::Arc;

use tintype::origin::Origin;
use tintype::origin::chrome::{Config, Engine, FilterList, FilterLists};
use tokio::net::TcpListener;

use crate::chrome_site::{ALLOWED, Answer, Pixels, Site, config, html, picture, shoot, start_with};
use crate::chrome_ssrf_roads::Names;

const RED: [u8; 3] = [255, 0, 0];
const LIME: [u8; 3] = [0, 255, 0];

/// All of these are the site's machine.
const HOSTS: [&str; 7] = [
    "page.test",
    "frame.test",
    "www.googletagmanager.com",
    "ads.doubleclick.net",
    "cdn.sp-prod.net",
    "v2.zopim.com",
    "bad.test",
];

fn engine(filters: FilterLists) -> Arc<Engine> {
    start_with(Config { filters, ..config() }, Names::new(HOSTS.map(|host| (host, vec!["127.0.0.2"]))))
}

async fn listener() -> (TcpListener, u16) {
    assert_eq!(ALLOWED, Ipv4Addr::new(127, 0, 0, 2));
    let listener = TcpListener::bind((ALLOWED, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn script(text: &str) -> Answer {
    Answer::Full(
        200,
        vec![("content-type", "text/javascript".into()), ("access-control-allow-origin", "*".into())],
        text.into(),
    )
}

#[tokio::test]
async fn requests_are_made_only_where_nothing_is_against_them() {
    let (listener, port) = listener().await;
    let page = format!(
        "<!doctype html><style>body{{margin:0;background:#0f0}}iframe,img{{position:absolute;border:0;left:0;\
         width:40px;height:40px}}</style>\
         <script src='http://www.googletagmanager.com:{port}/tag.js'></script>\
         <iframe src='http://ads.doubleclick.net:{port}/ad' style='top:0'></iframe>\
         <img src='http://ads.doubleclick.net:{port}/ad.svg' style='top:50px'>\
         <iframe src='http://frame.test:{port}/frame' style='top:100px'></iframe>\
         <script src='http://v2.zopim.com:{port}/chat.js'></script>\
         <script src='http://cdn.sp-prod.net:{port}/consent.js'></script>\
         <script src='/own.js'></script>\
         <script>new Worker('/worker.js')</script>"
    );
    let box_at = |top: u32| {
        let css = format!("position:fixed;left:0;top:{top}px;width:40px;height:40px;background:#f00");
        script(&format!(
            "{{ const b = document.createElement('b'); b.style.cssText = '{css}'; document.body.append(b) }}"
        ))
    };
    let site = Site::serve(
        listener,
        [
            ("/", html(page)),
            ("/tag.js", script("")),
            ("/ad", html("<body style='background:#f00'>")),
            (
                "/ad.svg",
                Answer::Now(
                    200,
                    "image/svg+xml",
                    "<svg xmlns='http://www.w3.org/2000/svg' width='40' height='40'><rect width='40' height='40' \
                     fill='#f00'/></svg>"
                        .into(),
                ),
            ),
            (
                "/frame",
                html(format!(
                    "<body style='background:#f00'><script src='http://ads.doubleclick.net:{port}/in-frame.js'></script>"
                )),
            ),
            ("/in-frame.js", script("")),
            ("/chat.js", box_at(150)),
            ("/consent.js", box_at(50)),
            ("/own.js", script("")),
            (
                "/worker.js",
                script(&format!(
                    "fetch('http://ads.doubleclick.net:{port}/in-worker', {{ mode: 'no-cors' }});\
                     importScripts('http://ads.doubleclick.net:{port}/imported.js');"
                )),
            ),
            ("/in-worker", script("")),
            ("/imported.js", script("")),
        ],
    );
    let engine = engine(FilterLists::default());
    let url = format!("http://page.test:{port}/");
    let of_ads = ["/ad", "/ad.svg", "/in-frame.js", "/in-worker", "/imported.js"];

    // Without a word from the client everything loads.
    let shown = Pixels::decode(&picture(shoot(&engine, &url, "delay=500").await));
    assert_eq!([20, 70, 120, 170].map(|y| shown.at(5, y)), [RED; 4]);
    for path in of_ads.iter().chain(&["/tag.js", "/frame", "/chat.js", "/consent.js", "/own.js"]) {
        site.requested(path, 1).await;
    }

    let times = |path: &&str| site.times(path);
    let before = of_ads.each_ref().map(times);
    let shown = Pixels::decode(&picture(shoot(&engine, &url, "delay=500&block_ads=true").await));
    assert_eq!(of_ads.each_ref().map(times), before, "{:?}", site.log());
    assert_eq!((site.times("/tag.js"), site.times("/own.js"), site.times("/frame")), (2, 2, 2));
    assert_eq!([20, 120, 170].map(|y| shown.at(5, y)), [LIME, RED, RED]);

    let all = "block_ads=1&block_trackers=1&block_cookie_banners=1&block_chats=1";
    let shown = Pixels::decode(&picture(shoot(&engine, &url, &format!("delay=500&{all}")).await));
    assert_eq!([20, 70, 120, 170].map(|y| shown.at(5, y)), [LIME, LIME, RED, LIME]);
    assert_eq!(of_ads.each_ref().map(times), before);
    assert_eq!(["/tag.js", "/chat.js", "/consent.js"].each_ref().map(times), [2, 2, 2]);
    assert_eq!(site.times("/own.js"), 3);
    engine.shutdown().await;
}

#[tokio::test]
async fn boxes_are_hidden_and_the_page_goes_on() {
    let (listener, port) = listener().await;
    let locked = "<!doctype html><style>html,body{margin:0;height:100%;overflow:hidden}main{height:900px;background:#0f0}\
        #cookie-banner{position:fixed;inset:0;background:#f00}</style><main></main><div id=cookie-banner></div>";
    let late = "<!doctype html><body style='margin:0;background:#0f0'><script>setTimeout(() => document.body\
        .insertAdjacentHTML('beforeend', '<div class=cc-window style=\"position:fixed;inset:0;background:#f00\">'), 300)\
        </script>";
    let outer = format!(
        "<!doctype html><body style='margin:0;background:#0f0'><iframe style='border:0;width:100px;height:100px' \
         src='http://frame.test:{port}/inner'></iframe>"
    );
    let inner = "<body style='margin:0;background:#0f0'><ins class=adsbygoogle style='position:fixed;inset:0;background:#f00'>";
    let site = Site::serve(
        listener,
        [("/locked", html(locked)), ("/late", html(late)), ("/outer", html(outer)), ("/inner", html(inner))],
    );
    let engine = engine(FilterLists::default());
    for (path, query, y, expected, height) in [
        ("/locked", "", 5, RED, 200),
        ("/locked", "block_ads=1&block_chats=1&block_trackers=1", 5, RED, 200),
        ("/locked", "block_cookie_banners=1", 5, LIME, 900),
        ("/late", "delay=600", 5, RED, 200),
        ("/late", "delay=600&block_cookie_banners=1", 5, LIME, 200),
        ("/outer", "", 5, RED, 200),
        ("/outer", "block_ads=1", 5, LIME, 200),
    ] {
        let url = format!("http://page.test:{port}{path}");
        let answer = shoot(&engine, &url, &format!("full_page=true&{query}")).await;
        assert_eq!(answer.as_ref().unwrap().headers()["x-page-height"], height.to_string(), "{path} {query}");
        let shown = Pixels::decode(&picture(answer));
        assert_eq!(shown.at(5, y), expected, "{path} {query}");
    }
    drop(site);
    engine.shutdown().await;
}

#[tokio::test]
async fn an_operators_list_counts() {
    let (listener, port) = listener().await;
    let page = format!(
        "<!doctype html><body style='margin:0;background:#0f0'><div class=teaser style='position:fixed;inset:0;\
         background:#f00'></div><script src='http://bad.test:{port}/bad.js'></script>"
    );
    let site = Site::serve(listener, [("/", html(page)), ("/bad.js", script(""))]);
    let list = FilterList { path: "own.txt".into(), text: "||bad.test^\npage.test##.teaser\n".into() };
    let engine = engine(FilterLists { chats: vec![list], ..FilterLists::default() });
    for (query, expected, times) in [("", RED, 1), ("block_ads=1", RED, 2), ("block_chats=1", LIME, 2)] {
        let shown = picture(shoot(&engine, &format!("http://page.test:{port}/"), query).await);
        assert_eq!((Pixels::decode(&shown).at(5, 5), site.times("/bad.js")), (expected, times), "{query}");
    }
    engine.shutdown().await;
}
