//! Device presets: a small, kept list. What a request names beside `device` goes before what the device says.

/// A device as pages see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Device {
    /// Its name in requests.
    pub name: &'static str,
    /// Viewport in CSS pixels, upright as it is mostly held.
    pub width: u32,
    /// See `width`.
    pub height: u32,
    /// Device pixels for each CSS pixel.
    pub scale: f64,
    /// Whether pages get a mobile viewport, and touch.
    pub mobile: bool,
    /// The browser on it.
    pub browser: Preinstalled,
}

/// The browser on a device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Preinstalled {
    /// The one that makes the picture, as it is.
    Own,
    /// Another one, of this `User-Agent`.
    Other(&'static str),
    /// Chrome on Android, of the version of the one that makes the picture.
    Chrome(Handset),
}

/// An Android device as its Chrome tells of it in client hints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handset {
    /// Its model.
    pub model: &'static str,
    /// Its version of Android.
    pub android: &'static str,
}

impl Handset {
    /// The `User-Agent` of its Chrome: neither model nor version of Android is in it since Chrome 110.
    pub fn user_agent(self, chrome: &str) -> String {
        format!(
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{chrome}.0.0.0 \
             Mobile Safari/537.36"
        )
    }
}

const IPHONE: Preinstalled = Preinstalled::Other(
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 \
     Mobile/15E148 Safari/604.1",
);
const IPAD: Preinstalled = Preinstalled::Other(
    "Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 \
     Mobile/15E148 Safari/604.1",
);
const PIXEL_8: Preinstalled = Preinstalled::Chrome(Handset { model: "Pixel 8", android: "16" });
const GALAXY_S23: Preinstalled = Preinstalled::Chrome(Handset { model: "SM-S911B", android: "15" });

/// All presets.
pub const DEVICES: [Device; 12] = [
    device("iphone-se", 375, 667, 2.0, IPHONE),
    device("iphone-15", 393, 852, 3.0, IPHONE),
    device("iphone-15-pro-max", 430, 932, 3.0, IPHONE),
    device("pixel-8", 412, 915, 2.625, PIXEL_8),
    device("galaxy-s23", 360, 780, 3.0, GALAXY_S23),
    device("ipad", 820, 1180, 2.0, IPAD),
    device("ipad-mini", 768, 1024, 2.0, IPAD),
    device("ipad-pro-11", 834, 1194, 2.0, IPAD),
    device("laptop", 1366, 768, 1.0, Preinstalled::Own),
    device("laptop-hidpi", 1440, 900, 2.0, Preinstalled::Own),
    device("desktop", 1920, 1080, 1.0, Preinstalled::Own),
    device("desktop-large", 2560, 1440, 1.0, Preinstalled::Own),
];

const fn device(name: &'static str, width: u32, height: u32, scale: f64, browser: Preinstalled) -> Device {
    let mobile = !matches!(browser, Preinstalled::Own);
    Device { name, width, height, scale, mobile, browser }
}

/// The preset of this name, in any case, with spaces or underscores for hyphens.
pub fn find(name: &str) -> Option<&'static Device> {
    let name = name.trim().to_ascii_lowercase().replace([' ', '_'], "-");
    DEVICES.iter().find(|device| device.name == name)
}

/// The names of all presets.
pub const NAMES: [&str; DEVICES.len()] = {
    let mut names = [""; DEVICES.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = DEVICES[at].name;
        at += 1;
    }
    names
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_people_write_them() {
        for (name, expected) in
            [("iphone-15", Some(393)), ("iPhone 15", Some(393)), ("iPad_Mini", Some(768)), ("nokia", None)]
        {
            assert_eq!(find(name).map(|device| device.width), expected, "{name}");
        }
        assert!(DEVICES.iter().all(|device| find(device.name) == Some(device)), "names are unique");
    }
}
