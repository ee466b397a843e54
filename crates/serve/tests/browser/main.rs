//! The page in a real browser: Chromium without a window, led by `chromedriver`, before the real server.
//!
//! Debian has both: `apt-get install chromium chromium-driver`.

mod driver;
mod site;

use serde_json::json;

use crate::driver::{Browser, key};
use crate::site::{Site, sample};

/// Names that a careless page would run, turn around or be torn apart by.
const HOSTILE: [&str; 3] = [
    "<img src=x onerror=\"document.title='run'\">.jpg",
    "holiday\u{202e}gpj.exe",
    "\u{0}\u{7}\u{1b}[2J \u{200b}",
];

/// Drops `[name, base64]` pairs on the page, as a user's mouse would.
const DROP: &str = "
    const transfer = new DataTransfer();
    for (const [name, content] of arguments[0]) {
        const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
        transfer.items.add(new File([bytes], name));
    }
    document.body.dispatchEvent(new DragEvent('drop', {dataTransfer: transfer, bubbles: true, cancelable: true}));";

/// No row waits, and no picture is on its way.
const ALL_DONE: &str = "document.querySelector('.card') !== null && document.querySelector('.waiting, .sending') === null";
/// The texts of elements that stick out of the window to the right.
const STICKING_OUT: &str = "[...document.querySelectorAll('body *')]
    .filter((one) => one.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
    .filter((one) => getComputedStyle(one).clipPath === 'none')
    .map((one) => `${one.tagName}: ${one.textContent.slice(0, 40)}`)";
/// The open row has its reasons.
const HAS_REASONS: &str = "document.querySelector('.open .map')?.naturalWidth > 0";

fn drop_files(browser: &Browser, files: &[(String, Vec<u8>)]) {
    use base64::Engine;
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let pairs: Vec<_> = files.iter().map(|(name, bytes)| json!([name, encode(bytes)])).collect();
    browser.run(DROP, &json!(pairs));
}

fn drop_sample(browser: &Browser, name: &str) {
    drop_files(browser, &[(name.to_owned(), sample(name))]);
}

#[test]
fn a_dropped_picture_is_answered_in_words_with_the_detectors_probability() {
    let site = Site::start();
    let browser = Browser::open(site.address(), 1280);
    for (name, words) in [
        ("fake-airplane-1.jpg", "Looks generated"),
        ("real-airplane-1.jpg", "Looks like a photograph"),
    ] {
        drop_sample(&browser, name);
        browser
            .wait(&format!("document.querySelector('.card.open .name')?.textContent === '{name}'"));
        assert_eq!(browser.text(".open .words"), words);
        let shown = site.percent(&sample(name));
        let sentence = browser.text(".open .number");
        assert!(sentence.ends_with(&format!("was generated at {shown}.")), "{sentence}");
        let bar =
            browser.value("document.querySelector('.open .scale').getAttribute('aria-label')");
        assert!(bar.as_str().is_some_and(|bar| bar.contains(&shown)), "{bar}");
    }
    browser.assert_no_fault();
}

#[test]
fn a_chosen_picture_is_answered_too() {
    let site = Site::start();
    let browser = Browser::open(site.address(), 1280);
    browser.choose("#choose", &[site::sample_path("fake-airplane-1.jpg")]);
    browser.wait("document.querySelector('.open .words')?.innerText === 'Looks generated'");
    browser.assert_no_fault();
}

#[test]
fn the_map_lies_over_the_picture_and_a_key_changes_its_strength() {
    let site = Site::start();
    let browser = Browser::open(site.address(), 1280);
    drop_sample(&browser, "fake-airplane-1.jpg");
    browser.wait(HAS_REASONS);
    let same_place = "(() => {
        const [picture, map] = ['.picture', '.map'].map((name) => document.querySelector(name).getBoundingClientRect());
        return picture.width > 0 && ['left', 'top', 'width', 'height'].every((side) => Math.abs(picture[side] - map[side]) < 1);
    })()";
    assert_eq!(browser.value(same_place), json!(true));
    let opacity = "Number(getComputedStyle(document.querySelector('.map')).opacity)";
    let before = browser.value(opacity).as_f64();
    browser.value("document.querySelector('.slider input').focus()");
    browser.press(key::END);
    assert_ne!(before, Some(1.0));
    assert_eq!(browser.value(opacity).as_f64(), Some(1.0));
    assert!(browser.text(".artifacts").contains("camera pictures"));
    assert!(browser.text(".limits").contains("no proof"));
    browser.assert_no_fault();
}

#[test]
fn a_hostile_name_is_text_and_nothing_else() {
    let site = Site::start();
    let browser = Browser::open(site.address(), 375);
    let title = browser.value("document.title");
    let long = format!("{}.jpg", "W".repeat(10_000));
    let names = HOSTILE.into_iter().chain([long.as_str()]);
    let files: Vec<_> =
        names.map(|name| (name.to_owned(), sample("fake-airplane-1.jpg"))).collect();
    drop_files(&browser, &files);
    browser.wait(ALL_DONE);
    assert_eq!(browser.value("document.querySelectorAll('.card.fake').length"), json!(files.len()));
    let shown =
        browser.value("[...document.querySelectorAll('.name')].map((name) => name.textContent)");
    assert_eq!(shown[0], HOSTILE[0]);
    assert_eq!(shown[1], "holidaygpj.exe");
    assert_eq!(shown[2], "[2J");
    let long = shown[3].as_str().expect("a name is text");
    assert!(long.chars().count() <= 60 && long.ends_with("W.jpg"), "{long}");
    assert_eq!(browser.value("document.querySelectorAll('.name *').length"), json!(0));
    assert_eq!(browser.value("document.title"), title);
    assert_eq!(browser.value(STICKING_OUT), json!([]));
    browser.assert_no_fault();
}

#[test]
fn a_saved_page_holds_a_hostile_name_as_text_and_no_script() {
    let site = Site::start();
    let browser = Browser::open(site.address(), 1280);
    let folder = site.folder();
    browser.save_into(&folder.to_string_lossy());
    drop_files(&browser, &[(HOSTILE[0].to_owned(), sample("fake-airplane-1.jpg"))]);
    browser.wait(HAS_REASONS);
    browser.value("document.querySelector('.open .save button').click()");
    browser.wait("document.querySelector('#status').textContent === 'The report was saved.'");
    let page = site.saved("html");
    assert!(page.starts_with("<!doctype html>"));
    assert!(page.contains("&lt;img src=x onerror="));
    assert!(!page.contains("<img src=x") && !page.contains("<script"));
    assert!(page.contains("default-src 'none'") && page.contains("Looks generated"));
    browser.assert_no_fault();
}

#[test]
fn of_a_hundred_files_each_has_its_line_and_a_broken_one_stops_none() {
    let site = Site::start();
    let browser = Browser::open(site.address(), 1280);
    let (fake, real) = (sample("fake-airplane-1.jpg"), sample("real-airplane-1.jpg"));
    let files: Vec<_> = (0..100)
        .map(|index| match index {
            50 => ("broken.jpg".to_owned(), b"no picture".to_vec()),
            _ if index % 2 == 0 => (format!("{index}.jpg"), fake.clone()),
            _ => (format!("{index}.jpg"), real.clone()),
        })
        .collect();
    drop_files(&browser, &files);
    browser.wait(ALL_DONE);
    assert_eq!(browser.value("document.querySelectorAll('.card').length"), json!(100));
    let tally = "49 look generated, 50 look like photographs, 1 was not read";
    assert!(browser.text(".card.failed .fault").contains("PNG, JPEG"));
    assert_eq!(browser.text("#status"), format!("Done: {tally}."));
    browser.assert_no_fault();
}

#[test]
fn no_width_scrolls_sideways() {
    let site = Site::start();
    let browser = Browser::open(site.address(), 375);
    drop_files(&browser, &[("broken.jpg".to_owned(), b"no picture".to_vec())]);
    browser.wait(ALL_DONE);
    drop_sample(&browser, "fake-airplane-1.jpg");
    browser.wait(HAS_REASONS);
    for width in [375, 768, 1440, 1920] {
        browser.resize(width);
        browser.wait(&format!("innerWidth === {width}"));
        assert_eq!(browser.value(STICKING_OUT), json!([]), "at {width} pixels");
        let root = "document.documentElement";
        assert_eq!(browser.value(&format!("{root}.scrollWidth - {root}.clientWidth")), json!(0));
    }
    browser.assert_no_fault();
}

#[test]
fn a_keyboard_reaches_a_picture_and_opens_and_closes_its_report() {
    let site = Site::start();
    let browser = Browser::open(site.address(), 768);
    browser.press(key::TAB);
    assert_eq!(browser.value("document.activeElement.id"), json!("choose"));
    drop_sample(&browser, "fake-airplane-1.jpg");
    browser.wait(HAS_REASONS);
    browser.press(key::TAB);
    let is_open = "document.activeElement.getAttribute('aria-expanded')";
    assert_eq!(browser.value(is_open), json!("true"));
    browser.press(key::ENTER);
    assert_eq!(browser.value(is_open), json!("false"));
    assert_eq!(browser.value("document.querySelector('.panel').hidden"), json!(true));
    browser.press(key::ENTER);
    browser.wait(HAS_REASONS);
    browser.assert_no_fault();
}

#[test]
fn nothing_is_asked_of_another_host() {
    let site = Site::start();
    let browser = Browser::open(site.address(), 1280);
    drop_sample(&browser, "fake-airplane-1.jpg");
    browser.wait(HAS_REASONS);
    let foreign = "performance.getEntriesByType('resource').map((one) => one.name).filter(
        (name) => !name.startsWith(`${location.origin}/`) && !name.startsWith('blob:') && !name.startsWith('data:'))";
    assert_eq!(browser.value(foreign), json!([]));
    let asked = browser.value("performance.getEntriesByType('resource').length").as_u64();
    assert!(asked > Some(10), "{asked:?} requests were seen");
    assert!(browser.text("#destination").contains("this computer"));
    browser.assert_no_fault();
}
