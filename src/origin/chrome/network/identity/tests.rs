use super::*;
use serde_json::{Value, json};

const HEADLESS: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                        HeadlessChrome/140.0.7339.80 Safari/537.36";
const PLAIN: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";

fn browser() -> Version {
    Version::of(BrowserVersion {
        product: "HeadlessChrome/140.0.7339.80".into(),
        user_agent: HEADLESS.into(),
    })
}

fn of(user_agent: &str) -> Identity {
    let visitor = Visitor { user_agent: Some(user_agent.to_owned()), ..Visitor::default() };
    Identity::of(&browser(), &visitor, &DefaultVisitor::default())
}

/// The client hints as the browser is told them.
fn hints_of(identity: &Identity) -> Value {
    serde_json::to_value(identity.hints.as_ref().unwrap()).unwrap()
}

/// `Sec-CH-UA` of these brands.
fn field(brands: &Value) -> String {
    let brands = brands.as_array().into_iter().flatten();
    let brands = brands.map(|b| format!("{};v={}", b["brand"], b["version"]));
    brands.collect::<Vec<_>>().join(", ")
}

#[test]
fn the_browser_itself_is_an_ordinary_one() {
    let identity = Identity::of(&browser(), &Visitor::default(), &DefaultVisitor::default());
    assert_eq!((identity.user_agent(), identity.platform, identity.script()), (PLAIN, None, None));
    assert_eq!((identity.accept_language().as_str(), identity.locale()), ("en-US,en;q=0.9", None));
    let hints = hints_of(&identity);
    assert_eq!(
        field(&hints["fullVersionList"]),
        r#""Chromium";v="140.0.7339.80", "Not=A?Brand";v="24.0.0.0", "Google Chrome";v="140.0.7339.80""#
    );
    for (name, expected) in [
        ("fullVersion", json!("140.0.7339.80")),
        ("platform", json!("Linux")),
        ("platformVersion", json!("")),
        ("architecture", json!("x86")),
        ("bitness", json!("64")),
        ("model", json!("")),
        ("mobile", json!(false)),
        ("formFactors", json!(["Desktop"])),
    ] {
        assert_eq!(hints[name], expected, "{name}");
    }
    assert!(!serde_json::to_string(&identity.overrides()).unwrap().contains("Headless"));
}

/// As browsers of these versions sent it.
#[test]
fn brands_are_those_that_chrome_writes() {
    let chrome = |major: u32| PLAIN.replace("140.0.0.0", &format!("{major}.0.0.0"));
    for (user_agent, expected) in [
        (chrome(109), r#""Not_A Brand";v="99", "Google Chrome";v="109", "Chromium";v="109""#),
        (chrome(116), r#""Chromium";v="116", "Not)A;Brand";v="24", "Google Chrome";v="116""#),
        (chrome(120), r#""Not_A Brand";v="8", "Chromium";v="120", "Google Chrome";v="120""#),
        (chrome(124), r#""Chromium";v="124", "Google Chrome";v="124", "Not-A.Brand";v="99""#),
        (chrome(131), r#""Google Chrome";v="131", "Chromium";v="131", "Not_A Brand";v="24""#),
        (chrome(140), r#""Chromium";v="140", "Not=A?Brand";v="24", "Google Chrome";v="140""#),
        (
            chrome(124) + " Edg/124.0.2478.67",
            r#""Chromium";v="124", "Microsoft Edge";v="124", "Not-A.Brand";v="99""#,
        ),
        (chrome(131) + " OPR/116.0.0.0", r#""Opera";v="116", "Chromium";v="131", "Not_A Brand";v="24""#),
    ] {
        let identity = of(&user_agent);
        assert_eq!(field(&hints_of(&identity)["brands"]), expected, "{user_agent}");
    }
}

#[test]
fn everything_follows_the_user_agent() {
    let in_chrome = |system: &str, mobile: &str| {
        format!(
            "Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0{mobile} Safari/537.36"
        )
    };
    for (system, mobile, platform, hints) in [
        ("Windows NT 10.0; Win64; x64", false, "Win32", ("Windows", "10.0.0", "x86", "", "Desktop")),
        ("Windows NT 6.1; Win64; x64", false, "Win32", ("Windows", "0.1.0", "x86", "", "Desktop")),
        ("Macintosh; Intel Mac OS X 10_15_7", false, "MacIntel", ("macOS", "10.15.7", "x86", "", "Desktop")),
        ("X11; Linux x86_64", false, "Linux x86_64", ("Linux", "", "x86", "", "Desktop")),
        ("X11; Linux aarch64", false, "Linux aarch64", ("Linux", "", "arm", "", "Desktop")),
        (
            "X11; CrOS x86_64 14541.0.0",
            false,
            "Linux x86_64",
            ("Chrome OS", "14541.0.0", "x86", "", "Desktop"),
        ),
        ("Linux; Android 10; K", true, "Linux armv81", ("Android", "10.0.0", "", "", "Mobile")),
        ("Linux; Android 10; K", false, "Linux armv81", ("Android", "10.0.0", "", "", "Tablet")),
        (
            "Linux; Android 4.4.2; Nexus 5 Build/KOT49H",
            true,
            "Linux armv81",
            ("Android", "4.4.2", "", "Nexus 5", "Mobile"),
        ),
    ] {
        let identity = of(&in_chrome(system, if mobile { " Mobile" } else { "" }));
        assert_eq!(identity.platform, Some(platform), "{system}");
        let (name, version, architecture, model, form) = hints;
        let found = hints_of(&identity);
        assert_eq!(found["platform"], name, "{system}");
        assert_eq!(found["platformVersion"], version, "{system}");
        assert_eq!(found["architecture"], architecture, "{system}");
        assert_eq!(found["model"], model, "{system}");
        assert_eq!(found["formFactors"], json!([form]), "{system}");
        assert_eq!(found["mobile"], mobile, "{system}");
        // The User-Agent does not tell more of its version, and the browser is of another one.
        assert_eq!(found["fullVersion"], "120.0.0.0", "{system}");
        assert!(identity.script().is_some());
    }
}

#[test]
fn browsers_without_client_hints_have_none() {
    for (user_agent, platform) in [
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
             Version/18.5 Mobile/15E148 Safari/604.1",
            Some("iPhone"),
        ),
        (
            "Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
             CriOS/140.0.7339.80 Mobile/15E148 Safari/604.1",
            Some("iPad"),
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) \
             Version/18.5 Safari/605.1.15",
            Some("MacIntel"),
        ),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", Some("Linux x86_64")),
        ("Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0", Some("Linux armv81")),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/64.0.3282.140 Edge/18.17763",
            Some("Win32"),
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/88.0.1.2 Safari/537.36",
            Some("Win32"),
        ),
        ("me/1", None),
        ("Chrome/", None),
        ("(", None),
    ] {
        let identity = of(user_agent);
        assert_eq!((identity.platform, &identity.hints), (platform, &None), "{user_agent}");
        assert_eq!(identity.overrides().user_agent_metadata, None);
        assert!(identity.script().is_some_and(|script| script.contains(r#""hints":false"#)));
    }
}

/// A preset is of the browser's own version, whichever that is.
#[test]
fn a_handset_has_a_chrome_of_its_own() {
    let handset = Handset { model: "Pixel 8", android: "16" };
    let visitor = Visitor { handset: Some(handset), locale: Some("de-CH".into()), ..Visitor::default() };
    let identity = Identity::of(&browser(), &visitor, &DefaultVisitor::default());
    assert!(identity.user_agent().contains("(Linux; Android 10; K)"), "{}", identity.user_agent());
    assert!(identity.user_agent().contains(" Chrome/140.0.0.0 Mobile "), "{}", identity.user_agent());
    let hints = hints_of(&identity);
    assert_eq!((&hints["model"], &hints["platformVersion"]), (&json!("Pixel 8"), &json!("16.0.0")));
    assert_eq!((&hints["mobile"], &hints["fullVersion"]), (&json!(true), &json!("140.0.7339.80")));
    assert_eq!(identity.platform, Some("Linux armv81"));
    assert_eq!((identity.accept_language().as_str(), identity.locale()), ("de-CH,de;q=0.9", Some("de-CH")));
}

#[test]
fn the_configuration_holds_where_a_request_says_nothing() {
    let languages: Vec<String> = ('a'..='l').map(|c| format!("{c}{c}")).collect();
    let default = DefaultVisitor { user_agent: Some("house/1".into()), languages };
    let plain = Identity::of(&browser(), &Visitor::default(), &default);
    assert_eq!((plain.user_agent(), plain.locale()), ("house/1", Some("aa")));
    // The browser was started with it, and so calls itself the same.
    let user_agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/130.0.0.0 Safari/537.36";
    let renamed = Version::of(BrowserVersion {
        product: "HeadlessChrome/140.0.7339.80".into(),
        user_agent: user_agent.into(),
    });
    let on_windows = DefaultVisitor { user_agent: Some(user_agent.into()), ..DefaultVisitor::default() };
    let identity = Identity::of(&renamed, &Visitor::default(), &on_windows);
    assert_eq!((identity.platform, identity.script().is_some()), (Some("Win32"), true));
    assert_eq!(
        plain.accept_language(),
        "aa,bb;q=0.9,cc;q=0.8,dd;q=0.7,ee;q=0.6,ff;q=0.5,gg;q=0.4,hh;q=0.3,ii;q=0.2,jj;q=0.1,kk;q=0.1,ll;q=0.1"
    );
    let visitor =
        Visitor { user_agent: Some("me/1".into()), locale: Some("en".into()), ..Visitor::default() };
    let asked = Identity::of(&browser(), &visitor, &default);
    assert_eq!((asked.user_agent(), asked.accept_language().as_str()), ("me/1", "en"));
}
