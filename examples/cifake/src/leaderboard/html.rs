//! The rows as one page without scripts: the order is chosen by radio buttons.

use std::fmt::Write;

use explain::html_text;

use super::figure::figure;
use super::order::{ORDERS, Order};
use super::row::Row;
use super::section::{Section, accuracies, sections, subject, usual};
use super::table::{Cell, Table};

/// Content policy of the page: even text that became markup could load and run nothing.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The line of a page by which it is known as one of this program.
pub(super) const MARK: &str = "<meta name=\"generator\" content=\"cifake leaderboard\">";

/// The page of all `rows`.
pub(super) fn page(rows: &[&Row]) -> String {
    let orders: Vec<&Order> = ORDERS.iter().filter(|order| order.applies(rows)).collect();
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n{MARK}\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Leaderboard</title>\n<style>\n{}{}</style>\n</head>\n<body>\n<main>\n<h1>Leaderboard</h1>\n",
        include_str!("style.css"),
        shown(&orders)
    );
    // Writing to a text cannot fail.
    for measured in subject(rows) {
        let _ = writeln!(page, "<p>{}</p>", html_text(&measured));
    }
    for (place, section) in sections(&usual(rows)).iter().enumerate() {
        let _ = writeln!(page, "<section>\n<h2>{}</h2>", section.title);
        write_words(&mut page, section);
        match place {
            0 => write_orders(&mut page, rows, &orders),
            _ => write_table(&mut page, &section.table),
        }
        page.push_str("</section>\n");
        if let (0, Some(figure)) = (place, figure(rows)) {
            let _ = writeln!(page, "<figure>\n{figure}</figure>");
        }
    }
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

/// The rules that show the table of the chosen order.
fn shown(orders: &[&Order]) -> String {
    let rule = |order: &&Order| {
        let id = order.id;
        format!("#by-{id}:checked ~ #table-{id} {{ display: block; }}\n")
    };
    orders.iter().map(rule).collect()
}

/// A radio button and a table for each order; the first is chosen.
fn write_orders(page: &mut String, rows: &[&Row], orders: &[&Order]) {
    page.push_str("<div class=\"orders\" role=\"radiogroup\" aria-label=\"Order of the rows\">\n");
    for (place, order) in orders.iter().enumerate() {
        let checked = if place == 0 { " checked" } else { "" };
        let (id, label) = (order.id, html_text(order.label));
        let _ = writeln!(
            page,
            "<input type=\"radio\" name=\"order\" id=\"by-{id}\"{checked}><label for=\"by-{id}\">{label}</label>"
        );
    }
    for order in orders {
        let _ = writeln!(page, "<div class=\"ordered\" id=\"table-{}\">", order.id);
        write_table(page, &accuracies(&order.sorted(rows)).table);
        page.push_str("</div>\n");
    }
    page.push_str("</div>\n");
}

fn write_words(page: &mut String, section: &Section) {
    let words: Vec<String> = section.words.iter().map(|words| html_text(words)).collect();
    let _ = writeln!(page, "<p>{}</p>", words.join(" "));
}

fn write_table(page: &mut String, table: &Table) {
    let class =
        |place: usize| if table.columns[place].is_number { " class=\"number\"" } else { "" };
    page.push_str("<div class=\"wide\"><table>\n<thead><tr>");
    for (place, column) in table.columns.iter().enumerate() {
        let _ = write!(page, "<th scope=\"col\"{}>{}</th>", class(place), html_text(&column.name));
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for row in &table.rows {
        page.push_str("<tr>");
        for (place, cell) in row.iter().enumerate() {
            let content = match cell {
                Cell::Text(text) | Cell::Number(text) => html_text(text),
                Cell::Code(text) => format!("<code>{}</code>", html_text(text)),
            };
            let _ = match place {
                0 => write!(page, "<th scope=\"row\">{content}</th>"),
                _ => write!(page, "<td{}>{content}</td>", class(place)),
            };
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody>\n</table></div>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leaderboard::row::tests::{hostile, row, with_built};

    #[test]
    fn each_order_has_a_button_a_rule_and_a_table() {
        let rows = [row("a", 0.8), with_built(row("b", 0.9), 0.7)];
        let page = page(&rows.iter().collect::<Vec<_>>());
        let n_orders = page.matches("<input type=\"radio\"").count();
        assert!(n_orders >= 6, "{n_orders}");
        assert_eq!(page.matches(" checked>").count(), 1);
        assert_eq!(page.matches("class=\"ordered\"").count(), n_orders);
        assert_eq!(page.matches(":checked ~ #table-").count(), n_orders);
        assert!(page.contains("id=\"by-static\"") && !page.contains("id=\"by-adaptive\""));
        // Nobody was measured under attack.
        assert!(!page.contains("Under attacks on the detector itself"));
        let first = page.split("id=\"table-accuracy\"").nth(1).expect("the first table");
        let [a, b] = ["a", "b"].map(|name| first.find(&format!("<th scope=\"row\">{name}</th>")));
        assert!(b < a, "the better one comes first");
    }

    #[test]
    fn tags_are_closed_and_nothing_is_loaded_or_run() {
        let rows = [row("a", 0.8), hostile()];
        let page = page(&rows.iter().collect::<Vec<_>>());
        for tag in [
            "main", "section", "figure", "div", "table", "tr", "th", "td", "code", "p", "svg",
            "text",
        ] {
            let opened = [" ", ">"].map(|end| page.matches(&format!("<{tag}{end}")).count());
            assert_eq!(
                opened.iter().sum::<usize>(),
                page.matches(&format!("</{tag}>")).count(),
                "{tag}"
            );
        }
        for forbidden in ["<script", "<img", " src=", "href=", "url(", "@import", " onerror"] {
            let outside = page.replace("&lt;img src=x onerror", "");
            assert!(!outside.contains(forbidden), "{forbidden}");
        }
    }
}
