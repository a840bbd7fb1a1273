//! Template filters for words and dates.

/// The text in single quotes.
pub fn quoted(text: &str) -> String {
    format!("'{text}'")
}

/// How many names a folded list shows before it counts the rest.
const SHOWN: usize = 3;

/// Each once, sorted, the rest counted: `a`, `a and b`, `a, b, and c`, `a, b, and 4 others`; `(nothing)` for none.
/// `ending` is appended to each.
pub fn folded(mut items: Vec<String>, ending: Option<&str>) -> String {
    if let Some(ending) = ending {
        items.iter_mut().for_each(|item| item.push_str(ending));
    }
    items.sort_unstable();
    items.dedup();
    if items.len() > SHOWN {
        let others = items.split_off(SHOWN - 1).len();
        items.push(format!("{others} others"));
    }
    match items.as_slice() {
        [] => "(nothing)".to_owned(),
        [one] => one.clone(),
        [one, two] => format!("{one} and {two}"),
        [most @ .., last] => format!("{}, and {last}", most.join(", ")),
    }
}

/// A point in time as mail headers write it: `2024-05-03T15:00:00.5+00:00` gives `Fri, 03 May 2024 15:00:00 UTC`. A
/// text that is not such a time is returned unchanged.
pub fn mail_date(text: &str) -> String {
    date(text).unwrap_or_else(|| text.to_owned())
}

fn date(text: &str) -> Option<String> {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (day, time) = text.split_once(['T', ' '])?;
    let mut parts = day.split('-').map(str::parse::<usize>);
    let (year, month, day) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    let name = MONTHS.get(month.checked_sub(1)?)?;
    let clock = time.get(..8).filter(|clock| clock.bytes().filter(|byte| *byte == b':').count() == 2)?;
    let zone = match time[8..].find(['+', '-', 'Z']).map(|at| &time[8 + at..]) {
        None => String::new(),
        Some("Z" | "+00:00") => " UTC".to_owned(),
        Some(offset) => format!(" UTC{offset}"),
    };
    let weekday = DAYS[weekday(year, month, day)];
    Some(format!("{weekday}, {day:02} {name} {year} {clock}{zone}"))
}

/// The day of the week, 0 for Monday (Sakamoto's method); months from 1 to 12.
const fn weekday(year: usize, month: usize, day: usize) -> usize {
    const SHIFTS: [usize; 12] = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4];
    let year = if month < 3 { year.saturating_sub(1) } else { year };
    (year + year / 4 + year / 400 + SHIFTS[month - 1] + day + 6 - year / 100 % 7 + 7) % 7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folded_list_shows_the_first_names_and_counts_the_others() {
        let table: &[(&[&str], &str)] = &[
            (&[], "(nothing)"),
            (&["b"], "b"),
            (&["b", "a", "b"], "a and b"),
            (&["c", "a", "b"], "a, b, and c"),
            (&["c", "a", "b", "d"], "a, b, and 2 others"),
        ];
        for (items, expected) in table {
            assert_eq!(folded(items.iter().map(|item| (*item).to_owned()).collect(), None), *expected);
        }
        assert_eq!(folded(vec!["b".to_owned(), "a".to_owned()], Some("'s")), "a's and b's");
    }

    #[test]
    fn a_mail_date_names_the_day_and_the_zone() {
        let table = [
            ("2024-05-03T15:00:00.123456+00:00", "Fri, 03 May 2024 15:00:00 UTC"),
            ("2000-02-29 23:59:59Z", "Tue, 29 Feb 2000 23:59:59 UTC"),
            ("2026-01-01T00:00:00+02:00", "Thu, 01 Jan 2026 00:00:00 UTC+02:00"),
            ("1999-12-31T12:30:00", "Fri, 31 Dec 1999 12:30:00"),
            ("2024-13-03T15:00:00", "2024-13-03T15:00:00"),
            ("2024-00-03T15:00:00", "2024-00-03T15:00:00"),
            ("yesterday", "yesterday"),
            ("2024-05-03Tééééé", "2024-05-03Tééééé"),
        ];
        for (text, expected) in table {
            assert_eq!(mail_date(text), expected);
        }
    }
}
