//! Answers of models, checked and repaired.

mod brief;
mod contest;
mod item;
mod json;
pub(crate) mod refusal;
mod region;
mod remark;
mod rules;

use cifake::text::counted;

use crate::plain::{has_hidden, plain};
use crate::{Artifact, Explanation, Finding, MAX_FINDINGS, MAX_WORDS};

use self::brief::{brief, quoted};
pub use self::contest::ContestAnswers;
use self::item::{Item, artifact_of, items_of_lines};
use self::json::{items_of_json, json_start};
pub use self::refusal::{MAX_ANSWER_BYTES, Refusal};
use self::region::region_of;
use self::remark::Remarks;
pub use self::rules::Rules;

/// Most names that a refusal quotes.
const MAX_QUOTED: usize = 10;

/// Reads the untrusted answer of a model and keeps what `rules` allow.
///
/// The [`prompt`](crate::prompt) asks for one line an artifact, `Name: explanation.` Repairs, each
/// with a remark: lists, Markdown, JSON, other spellings of names, repeated names, more than
/// [`MAX_FINDINGS`] items, more than [`MAX_WORDS`] words. Unlisted names are left out, with a remark.
///
/// Control characters, escape sequences and overrides of direction are removed. Markup such as HTML
/// stays: it must be escaped before it is shown on a page. `said_by` of the findings is empty.
///
/// ```
/// use explain::{Rules, parse};
///
/// let answer = "1. **artificial smoothness**: The fur in the upper left is one flat patch.";
/// let explanation = parse(answer, &Rules::default().with_least(1))?;
/// assert_eq!(explanation.findings[0].artifact.name(), "Artificial smoothness");
/// assert_eq!(explanation.findings[0].region, Some(gradcam::Region::TopLeft));
/// # Ok::<(), explain::Refusal>(())
/// ```
///
/// # Errors
///
/// A [`Refusal`].
pub fn parse(answer: &str, rules: &Rules) -> Result<Explanation, Refusal> {
    if answer.len() > MAX_ANSWER_BYTES {
        return Err(Refusal::TooLong { bytes: answer.len() });
    }
    let mut remarks = Remarks::default();
    if has_hidden(answer) {
        remarks.push("control characters were taken out of the answer".to_owned());
    }
    let text = plain(answer);
    let text = without_thoughts(&text, &mut remarks).trim();
    if text.is_empty() {
        return Err(Refusal::Empty);
    }
    let (items, is_cut) = read(text, &mut remarks);
    let (findings, unlisted) = checked(items, rules, &mut remarks);
    let (found, least) = (findings.len(), rules.least);
    if found < least || found == 0 {
        return Err(match is_cut {
            true => Refusal::BrokenOff { found, least },
            false => Refusal::TooFew { found, least, unlisted },
        });
    }
    Ok(Explanation { findings, remarks: remarks.finish() })
}

/// The text after the thoughts that some models write first.
fn without_thoughts<'a>(text: &'a str, remarks: &mut Remarks) -> &'a str {
    let after =
        text.trim_start().strip_prefix("<think>").and_then(|text| text.split_once("</think>"));
    let Some((_, after)) = after else { return text };
    remarks.push("the model's thoughts before its answer were left out".to_owned());
    after
}

/// The items of an answer, and whether it breaks off.
fn read(text: &str, remarks: &mut Remarks) -> (Vec<Item>, bool) {
    let lines = items_of_lines(text);
    if let Some(json) = json(text, &lines.items) {
        remarks.push("the answer was JSON, not lines".to_owned());
        if json.is_cut {
            remarks.push("the answer broke off; what stands before the end was kept".to_owned());
        }
        return (json.items, json.is_cut);
    }
    if lines.has_markup {
        remarks.push("bullets, numbers or other markup were taken off".to_owned());
    }
    if lines.n_loose > 0 {
        let loose = counted(lines.n_loose, "line");
        remarks.push(format!("left out without an artifact: {loose}"));
    }
    (lines.items, false)
}

/// The JSON in an answer without an artifact before it, if it gives more than the `lines`.
fn json(text: &str, lines: &[Item]) -> Option<json::Read> {
    let names_any = |items: &[Item]| items.iter().any(|item| artifact_of(&item.name).is_some());
    let start = json_start(text)?;
    let json = items_of_json(&text[start..]);
    let is_better =
        names_any(&json.items) || !names_any(lines) && (json.is_cut || !json.items.is_empty());
    (is_better && !names_any(&items_of_lines(&text[..start]).items)).then_some(json)
}

/// The findings in `items` that `rules` allow, and the names that they do not.
fn checked(items: Vec<Item>, rules: &Rules, remarks: &mut Remarks) -> (Vec<Finding>, Vec<String>) {
    let mut findings: Vec<Finding> = Vec::new();
    let mut unlisted = Vec::new();
    let mut n_surplus = 0;
    for item in items {
        let name = quoted(&item.name);
        let artifact = artifact_of(&item.name).filter(|artifact| rules.allowed.contains(artifact));
        let Some(artifact) = artifact else {
            let field = item::field_of(&item.name).is_some();
            if !field && unlisted.len() < MAX_QUOTED && !unlisted.contains(&name) {
                unlisted.push(name.clone());
            }
            remarks.push(format!("{name} is not in the list of artifacts and was left out"));
            continue;
        };
        if findings.iter().any(|finding| finding.artifact == artifact) {
            remarks.push(format!("{name} was named again; its first explanation was kept"));
        } else if !item.text.chars().any(char::is_alphanumeric) {
            remarks.push(format!("{name} has no explanation and was left out"));
        } else if findings.len() == MAX_FINDINGS {
            n_surplus += 1;
        } else {
            findings.push(finding(artifact, &item, remarks));
        }
    }
    if n_surplus > 0 {
        let surplus = counted(n_surplus, "artifact");
        remarks.push(format!("left out after the first {MAX_FINDINGS}: {surplus}"));
    }
    (findings, unlisted)
}

fn finding(artifact: Artifact, item: &Item, remarks: &mut Remarks) -> Finding {
    if item.name != artifact.name() {
        remarks.push(format!("{} was read as `{artifact}`", quoted(&item.name)));
    }
    let explanation = brief(&item.text);
    let [before, after] = [&item.text, &explanation].map(|text| text.split_whitespace().count());
    if before > MAX_WORDS || explanation.ends_with('…') && !item.text.trim_end().ends_with('…')
    {
        remarks.push(match before > after {
            true => format!("the {before} words on `{artifact}` were cut to {after}"),
            false => format!("a word of the text on `{artifact}` was too long and was cut"),
        });
    }
    let region = region_of(&explanation).or_else(|| region_of(&item.place));
    Finding { artifact, region, evidence: None, explanation, said_by: Vec::new() }
}

#[cfg(test)]
mod tests;
