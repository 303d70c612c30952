//! Pages as they are in the world, judged by their pixels: scripts of the world and emoji, shadow trees, chains of redirects,
//! pages that grow as they are scrolled.

use tintype::origin::Origin;

use crate::chrome_site::{Answer, Pixels, Site, config, html, picture, shoot, start};

const LIME: [u8; 3] = [0, 255, 0];
/// Pixels of one row of the glyph page.
const ROW: u32 = 40;

/// The pixels of the `n`th row.
fn row(shown: &Pixels, n: u32) -> Vec<[u8; 3]> {
    let whole = (n * ROW..(n + 1) * ROW).flat_map(|y| (0..shown.width).map(move |x| (x, y)));
    whole.map(|(x, y)| shown.at(x, y)).collect()
}

#[tokio::test]
async fn the_scripts_of_the_world_have_glyphs() {
    // First what no font has: the box that stands for it. The fonts are those of scripts/install-browser.
    let texts = ["\u{F0000}", "漢", "あ", "한", "ض", "क", "😀", "🏳\u{FE0F}\u{200D}🌈", "Ж"];
    let rows: String = texts
        .iter()
        .map(|text| format!("<div style='height:{ROW}px;overflow:hidden'>{text}</div>"))
        .collect();
    let page = format!(
        "<!doctype html><meta charset=utf-8><body style='margin:0;background:#fff;color:#000;font:28px/1.2 sans-serif'>{rows}"
    );
    let site = Site::start([("/", html(page))]).await;
    let engine = start(config());
    let query = format!("width=120&height={}", ROW as usize * texts.len());
    let shown = Pixels::decode(&picture(shoot(&engine, &site.url("/"), &query).await));
    let rows: Vec<_> = (0..texts.len() as u32).map(|n| row(&shown, n)).collect();
    for (n, text) in texts.iter().enumerate().skip(1) {
        assert!(rows[n].iter().any(|pixel| *pixel != [255; 3]), "{text} is not there");
        assert_ne!(rows[n], rows[0], "{text} is a box");
        assert!(rows[..n].iter().all(|other| *other != rows[n]), "{text} looks like another");
        let colourful = rows[n].iter().any(|[r, g, b]| r.abs_diff(*b) > 60 || r.abs_diff(*g) > 60);
        assert_eq!(colourful, matches!(n, 6 | 7), "{text}");
    }
    engine.shutdown().await;
}

#[tokio::test]
async fn what_scripts_and_servers_do_to_a_page_is_on_its_picture() {
    let tree = |mode: &str| {
        format!(
            "<!doctype html><body style='margin:0;background:#f00'><div id=host></div><script>
            const root = document.getElementById('host').attachShadow({{ mode: '{mode}' }});
            root.innerHTML = '<style>p {{ position:fixed;inset:0;margin:0;background:#0f0 }}</style><p>';
            </script>"
        )
    };
    let declared = "<!doctype html><body style='margin:0;background:#f00'><div><template shadowrootmode=open>\
        <div style='position:fixed;inset:0;background:#0f0'></div></template></div>";
    // Each of the first ten times that its end is seen it grows by one screen.
    let grows = "<!doctype html><body style='margin:0;background:#0f0'><div style='height:200px'></div><i>.</i><script>
        let n = 0;
        new IntersectionObserver(seen => {
            if (!seen.some(one => one.isIntersecting) || n++ >= 10) return;
            const more = document.createElement('div');
            more.style.height = '200px';
            document.body.insertBefore(more, document.querySelector('i'));
        }).observe(document.querySelector('i'));
    </script>";
    let endless = "<!doctype html><body style='margin:0;background:#0f0'><script>
        const more = () => { const d = document.createElement('div'); d.style.height = '300px'; document.body.append(d) };
        more(); onscroll = more; setInterval(more, 5)</script>";
    let site = Site::start([
        ("/open", html(tree("open"))),
        ("/closed", html(tree("closed"))),
        ("/declared", html(declared)),
        ("/1", Answer::To("/2".into())),
        ("/2", Answer::To("/3".into())),
        ("/3", html("<meta http-equiv=refresh content='0;url=/4'>")),
        ("/4", html("<script>location.replace('/5')</script>")),
        ("/5", html("<body bgcolor=lime>")),
        ("/grows", html(grows)),
        ("/endless", html(endless)),
    ])
    .await;
    let engine = start(config());
    for path in ["/open", "/closed", "/declared", "/1"] {
        let shown = Pixels::decode(&picture(shoot(&engine, &site.url(path), "").await));
        assert_eq!((shown.at(5, 5), shown.at(310, 190)), (LIME, LIME), "{path}");
    }
    for (path, least) in [("/grows", 400), ("/endless", 600)] {
        let shown = Pixels::decode(&picture(shoot(&engine, &site.url(path), "full_page=true").await));
        assert!((least..=5000).contains(&shown.height), "{path}: {}", shown.height);
        assert_eq!(shown.at(310, shown.height - 1), LIME, "{path}");
    }
    assert_eq!(engine.stats().restarts, 0);
    engine.shutdown().await;
}
