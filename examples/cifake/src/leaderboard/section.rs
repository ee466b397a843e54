//! The sections of the pages about the rows.

use std::collections::BTreeSet;

use cifake::Split;
use cifake::text::percent;
use cifake_eval::GroupRow;

use super::against::against_default;
use super::methods::METHODS;
use super::number::{NONE, interval, millions, or_dash, short};
use super::order::{ORDERS, shown_name, words_of_others};
use super::row::{EPSILON, Part, Row, Share};
use super::table::{Cell, Table};

/// A part of a page.
pub(super) struct Section {
    pub(super) title: &'static str,
    /// Sentences above the table.
    pub(super) words: Vec<String>,
    pub(super) table: Table,
}

/// All parts that the rows have something for. The first is that of accuracies, in the order of `rows`.
pub(super) fn sections(rows: &[&Row]) -> Vec<Section> {
    let all = [
        Some(accuracies(rows)),
        against_default(rows).map(|(words, table)| Section {
            title: "Against the default detector",
            words,
            table,
        }),
        Some(costs(rows)),
        Some(published(rows)),
        attacked_set(rows),
        adaptive(rows),
        degradations(rows),
        generators(rows),
        Some(made(rows)),
    ];
    all.into_iter().flatten().collect()
}

/// The rows in their usual order.
pub(super) fn usual<'a>(rows: &[&'a Row]) -> Vec<&'a Row> {
    ORDERS[0].sorted(rows)
}

/// The pictures that the rows are measured on, a sentence each.
pub(super) fn subject(rows: &[&Row]) -> Vec<String> {
    let of = |row: &&Row| {
        format!("{} pictures ({}) of {}", row.measures.n, row.made_of.split, row.dataset)
    };
    rows.iter().map(of).collect::<BTreeSet<_>>().into_iter().collect()
}

pub(super) fn accuracies(rows: &[&Row]) -> Section {
    let columns = [
        "pictures",
        "accuracy %",
        "at validation threshold %",
        "REAL %",
        "FAKE %",
        "AUC",
        "AP",
        "TPR at 1 % FPR",
        "TPR at 5 % FPR",
        "ECE",
        "ms a picture",
        "parameters, M",
    ];
    let mut table = Table::of_numbers("detector", columns);
    for row in rows {
        let m = &row.measures;
        let at_validation = row.at_validation_threshold.as_ref();
        let four = |metric: cifake_eval::metrics::Metric| format!("{:.4}", metric.value);
        let numbers = [
            m.n.to_string(),
            interval(&m.accuracy),
            or_dash(at_validation, |at| interval(&at.accuracy)),
            or_dash(m.accuracy_real, |metric| percent(metric.value)),
            or_dash(m.accuracy_fake, |metric| percent(metric.value)),
            or_dash(m.auc, four),
            or_dash(m.ap, four),
            or_dash(m.tpr_at_fpr_1, four),
            or_dash(m.tpr_at_fpr_5, four),
            or_dash(m.ece, four),
            format!("{:.2}", row.cost.one.median_ms),
            millions(row.parameters),
        ];
        table.add(&shown_name(row, rows), numbers);
    }
    let words = [
        "A picture counts as FAKE from a probability of 0.5 on.",
        "The second accuracy takes the threshold with the most right answers on the pictures that training held back.",
        "It is missing where a weight file does not tell which pictures those are.",
        "REAL % and FAKE % are the accuracies on the pictures of that label.",
        "AUC tells how often a FAKE picture has a higher probability of FAKE than a REAL one.",
        "AP is average precision. TPR is the share of FAKE pictures that are found while 1 % or 5 % of the REAL ones raise a false alarm.",
        "ECE is the calibration error over 15 bins.",
        "Brackets hold 95 % intervals of 1,000 bootstrap resamples.",
    ];
    let words = words.map(str::to_owned).into_iter().chain(words_of_others(rows));
    Section { title: "Accuracy", words: words.collect(), table }
}

fn costs(rows: &[&Row]) -> Section {
    let columns =
        ["parameters, M", "MMAC", "ms at batch 1", "batch", "ms a picture in it", "memory, MB"];
    let mut table = Table::of_numbers("detector", columns);
    for row in rows {
        let cost = &row.cost;
        let numbers = [
            millions(row.parameters),
            or_dash(row.macs, millions),
            format!("{:.2}", cost.one.median_ms),
            cost.many.batch.to_string(),
            format!("{:.2}", cost.many.median_ms),
            or_dash(cost.peak_bytes, |bytes| format!("{:.0}", bytes as f64 / 1e6)),
        ];
        table.add(&row.name, numbers);
    }
    let mut words = vec![
        "Times are medians on one thread of the processor, for pictures in memory.".to_owned(),
        "Memory is the peak of a process that loads the weights and judges both batches (VmHWM).".to_owned(),
        "Parameters leave out running statistics. MMAC are millions of multiply-accumulates a picture.".to_owned(),
    ];
    let cpus: BTreeSet<&str> = rows.iter().filter_map(|row| row.cost.cpu.as_deref()).collect();
    words.extend(cpus.into_iter().map(|cpu| format!("Processor: {cpu}.")));
    if rows.iter().any(|row| !row.cost.optimized) {
        words.push("Some times are those of an unoptimized build, see the last table.".to_owned());
    }
    Section { title: "Time and memory", words, table }
}

fn published(rows: &[&Row]) -> Section {
    let mut table =
        Table::of_words(["method", "published %", "here %", "pictures", "row, or what makes one"]);
    for method in &METHODS {
        let name = Cell::Text(method.name.to_owned());
        let clean = Cell::Number(or_dash(method.clean, |accuracy| format!("{accuracy:.2}")));
        let own = method.rows(rows);
        for row in &own {
            let here = [interval(&row.measures.accuracy), row.measures.n.to_string()];
            let [here, n] = here.map(Cell::Number);
            let row = Cell::Text(shown_name(row, rows));
            table.add_cells(vec![name.clone(), clean.clone(), here, n, row]);
        }
        if own.is_empty() {
            let none = || Cell::Number(NONE.to_owned());
            let command = Cell::Code(method.command.to_owned());
            table.add_cells(vec![name, clean, none(), none(), command]);
        }
    }
    let words = [
        "The published accuracies are those of an entry to the contest Inter IIT Tech Meet 13, problem 7 by Adobe (2024).",
        "Its ViT was measured on a split of its own, and its ResNet-50 is a ResNet-34.",
        "Its RIGID answers the wrong way round.",
        "The networks here are smaller, and read 32x32 pictures.",
        "A row is here if it was measured on the 20,000 test pictures of CIFAKE, or on the 2,000 that --limit 2000 draws of them.",
        "A command stands where nobody could load the weights here, or where no run has ended.",
    ];
    let words = words.map(str::to_owned).into_iter().chain(words_of_others(rows)).collect();
    Section { title: "Next to the published accuracies", words, table }
}

/// The rows that have a part.
fn with<'a, T>(rows: &[&'a Row], part: fn(&Row) -> &Option<Part<T>>) -> Vec<&'a Row> {
    rows.iter().copied().filter(|row| part(row).is_some()).collect()
}

fn attacked_set(rows: &[&Row]) -> Option<Section> {
    let rows = with(rows, |row| &row.built);
    let columns =
        ["clean %", "attacked %", "drop, points", "published clean %", "published attacked %"];
    let mut table = Table::of_numbers("detector", columns);
    let mut sets = BTreeSet::new();
    for row in &rows {
        let Some(part) = &row.built else { continue };
        let found = &part.found;
        sets.insert(format!("The set is {}, made with {}.", found.set, found.surrogate));
        let method = METHODS.iter().find(|method| !method.rows(&[row]).is_empty());
        let publication = |of: fn(&super::methods::Method) -> Option<f64>| {
            or_dash(method.and_then(of), |accuracy| format!("{accuracy:.2}"))
        };
        let numbers = [
            percent(row.measures.accuracy.value),
            interval(&found.accuracy),
            percent(found.drop),
            publication(|method| method.clean),
            publication(|method| method.attacked),
        ];
        table.add(&shown_name(row, &rows), numbers);
    }
    let mut words = vec![
        "The pictures were attacked once, for another network. Such an accuracy is no robustness.".to_owned(),
        "Attacked is the mean over the attacks of the set, and drop the clean accuracy less this one.".to_owned(),
        "The published figures are of another set.".to_owned(),
    ];
    words.extend(sets);
    words.extend(words_of_others(&rows));
    (!table.rows.is_empty()).then_some(Section {
        title: "On a set of attacked pictures",
        words,
        table,
    })
}

fn adaptive(rows: &[&Row]) -> Option<Section> {
    let rows = with(rows, |row| &row.adaptive);
    let columns =
        ["pictures", "clean %", "APGD %", "ensemble %", "ensemble, worse label %", "doubts"];
    let mut table = Table::of_numbers("detector", columns);
    for row in &rows {
        let Some(part) = &row.adaptive else { continue };
        let found = &part.found;
        let share =
            |place: usize| or_dash(found.rows.get(place), |share| interval(&share.accuracy));
        let doubts: Vec<String> = found.warnings.iter().map(ToString::to_string).collect();
        let numbers = [
            or_dash(found.rows.first(), |share| share.n.to_string()),
            interval(&found.clean),
            share(0),
            share(1),
            or_dash(found.worst_label, |metric| interval(&metric)),
            if doubts.is_empty() { NONE.to_owned() } else { doubts.join("; ") },
        ];
        table.add(&shown_name(row, &rows), numbers);
    }
    let words = [
        format!(
            "The attacks know the detector and its weights, and change no value of a pixel by more than {EPSILON}."
        ),
        "The ensemble is APGD on two losses, FAB and Square, one after the other.".to_owned(),
        "It is no AutoAttack, whose DLR loss is not defined for two classes.".to_owned(),
        "Its answers are those of the network before calibration, also the clean ones.".to_owned(),
        "The worse label is the lower of the accuracies on REAL and on FAKE pictures under the ensemble.".to_owned(),
        "A doubt is a sign that the attacks went astray, so that the accuracies are too high.".to_owned(),
    ];
    let title = "Under attacks on the detector itself";
    let words = words.into_iter().chain(words_of_others(&rows)).collect();
    (!table.rows.is_empty()).then_some(Section { title, words, table })
}

fn degradations(rows: &[&Row]) -> Option<Section> {
    let rows = with(rows, |row| &row.degradations);
    let of = |row: &&Row| {
        let shares = row.degradations.as_ref()?.found.iter();
        let named = |share: &Share| (share.name.clone(), percent(share.accuracy.value));
        Some((shown_name(row, &rows), shares.map(named).collect()))
    };
    let table = matrix("arrives as", rows.iter().filter_map(of).collect())?;
    let words =
        ["A cell is the accuracy in percent on the same pictures, changed on their way."
            .to_owned()];
    let words = words.into_iter().chain(words_of_others(&rows)).collect();
    Some(Section { title: "Pictures as they arrive", words, table })
}

fn generators(rows: &[&Row]) -> Option<Section> {
    let named = |group: &GroupRow| {
        let auc = or_dash(group.auc, |auc| format!(", AUC {auc:.3}"));
        let auc = if group.auc.is_some() { auc } else { String::new() };
        let name = format!("{} ({})", group.name, group.n);
        (name, format!("{}{auc}", percent(group.fake)))
    };
    let of = |row: &&Row| {
        let groups = row.generators.as_ref()?.found.iter();
        Some((row.name.clone(), groups.map(named).collect()))
    };
    let table = matrix("pictures of", rows.iter().filter_map(of).collect())?;
    let words = [
        "A cell is the percentage of the pictures that are answered FAKE. That is right for all rows but REAL.",
        "AUC tells how often a generated picture has a higher probability of FAKE than a camera picture.",
    ];
    let mut words: Vec<String> = words.map(str::to_owned).into();
    let is_validation = |row: &&Row| {
        row.generators.as_ref().is_some_and(|part| part.key.starts_with(Split::Validation.as_str()))
    };
    if rows.iter().any(is_validation) {
        let note = "The collection has no test pictures, so these are its validation pictures. The default weights \
                    learned from none of them, but their bands of UNSURE were chosen on them.";
        words.push(note.to_owned());
    }
    Some(Section { title: "Other generators", words, table })
}

/// The named values of several detectors, a column each; `None` without a detector.
fn matrix(first: &str, columns: Vec<(String, Vec<(String, String)>)>) -> Option<Table> {
    let mut names: Vec<&String> = Vec::new();
    for (name, _) in columns.iter().flat_map(|(_, values)| values) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut table = Table::of_numbers(first, columns.iter().map(|(detector, _)| detector.clone()));
    for name in names {
        let value = |(_, values): &(String, Vec<(String, String)>)| {
            or_dash(values.iter().find(|(of, _)| of == name), |(_, value)| value.clone())
        };
        table.add(name, columns.iter().map(value));
    }
    (!columns.is_empty()).then_some(table)
}

fn made(rows: &[&Row]) -> Section {
    let mut table =
        Table::of_words(["detector", "network", "weights", "commit", "command", "note"]);
    for row in rows {
        let parts = [
            row.built.as_ref().map(|part| &part.source),
            row.adaptive.as_ref().map(|part| &part.source),
            row.degradations.as_ref().map(|part| &part.source),
            row.generators.as_ref().map(|part| &part.source),
        ];
        let mut sources = vec![&row.source];
        for source in parts.into_iter().flatten() {
            if !sources.contains(&source) {
                sources.push(source);
            }
        }
        for (place, source) in sources.into_iter().enumerate() {
            let is_first = place == 0;
            let first = |text: &str| if is_first { text.to_owned() } else { String::new() };
            table.add_cells(vec![
                Cell::Text(first(&row.name)),
                Cell::Text(first(&row.architecture)),
                Cell::Code(first(&short(&row.made_of.weights_sha256))),
                Cell::Code(or_dash(source.commit.as_deref(), short)),
                Cell::Code(source.command.clone()),
                Cell::Text(first(row.footnote.as_deref().unwrap_or(NONE))),
            ]);
        }
    }
    let words = [
        "Weights are named by the first digits of the file's SHA-256.",
        "The commit is that from which the program was built, apart from changes that were not committed.",
    ];
    let words = words.map(str::to_owned).into();
    Section { title: "How the rows were made", words, table }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leaderboard::row::tests::row;

    #[test]
    fn no_row_of_other_pictures_stands_next_to_a_publication() {
        let mut own = row("native", 0.9);
        own.made_of.pictures_sha256 = "01".repeat(32);
        let stands = |row: &Row| {
            let cell = Cell::Text(row.name.clone());
            published(&[row]).table.rows.iter().any(|cells| cells.last() == Some(&cell))
        };
        assert!(stands(&row("native", 0.9)) && !stands(&own));
    }
}
