//! Times as texts, in UTC: HTTP dates, RFC 3339, and a form for people. This module reads no clock.

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY_MS: u64 = 24 * 3600 * 1000;
/// 9999-12-31, the last day whose year has four digits.
const LAST_DAY: u64 = 2_932_896;

/// A day of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    pub year: u64,
    /// 1 to 12.
    pub month: u64,
    /// 1 to 31.
    pub day: u64,
}

impl Day {
    /// The day that is so many days after 1970-01-01, at most 9999-12-31.
    pub fn after_epoch(days: u64) -> Day {
        let (mut year, mut left) = (1970, days.min(LAST_DAY));
        while left >= year_days(year) {
            left -= year_days(year);
            year += 1;
        }
        let mut month = 1;
        while left >= month_days(year, month) {
            left -= month_days(year, month);
            month += 1;
        }
        Day { year, month, day: left + 1 }
    }

    /// Days since 1970-01-01; none for an earlier day or an invalid one.
    fn since_epoch(self) -> Option<u64> {
        let Day { year, month, day } = self;
        let valid = (1970..=9999).contains(&year) && (1..=12).contains(&month);
        if !valid || !(1..=month_days(year, month)).contains(&day) {
            return None;
        }
        let years: u64 = (1970..year).map(year_days).sum();
        let months: u64 = (1..month).map(|month| month_days(year, month)).sum();
        Some(years + months + day - 1)
    }
}

fn leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn year_days(year: u64) -> u64 {
    365 + u64::from(leap(year))
}

fn month_days(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + u64::from(leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Formats milliseconds since 1970-01-01 UTC as RFC 3339: `2026-11-24T12:00:00.000Z`.
pub fn rfc3339(ms: u64) -> String {
    let Day { year, month, day } = Day::after_epoch(ms / DAY_MS);
    let (seconds, millis) = (ms % DAY_MS / 1000, ms % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Formats milliseconds since 1970-01-01 UTC for people, to the minute: `2026-11-24 12:00 UTC`.
pub fn minute(ms: u64) -> String {
    let text = rfc3339(ms);
    format!("{} {} UTC", &text[..10], &text[11..16])
}

/// Parses an HTTP date in any of its three forms (RFC 9110, 5.6.7) to milliseconds since 1970-01-01 UTC. Returns none
/// for any other text and for earlier times.
pub fn http_date(text: &str) -> Option<u64> {
    let words: Vec<&str> = text.split([' ', ',', '-']).filter(|word| !word.is_empty()).collect();
    let (day, month, year, time) = match words[..] {
        [_, day, month, year, time, "GMT"] => (day, month, year, time),
        [_, month, day, time, year] => (day, month, year, time),
        _ => return None,
    };
    let month = 1 + MONTHS.iter().position(|name| *name == month)? as u64;
    let year = match number(year)? {
        short @ 0..70 if year.len() == 2 => 2000 + short,
        short @ 70..100 if year.len() == 2 => 1900 + short,
        year => year,
    };
    let mut clock = time.split(':').map(number);
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    if clock.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = Day { year, month, day: number(day)? }.since_epoch()?;
    Some(days * DAY_MS + (hour * 3600 + minute * 60 + second) * 1000)
}

fn number(digits: &str) -> Option<u64> {
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_follow_the_calendar() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_767_225_599_000, "2025-12-31T23:59:59.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(ms), text);
        }
        assert_eq!(minute(1_795_521_600_000), "2026-11-24 12:00 UTC");
        assert!(rfc3339(u64::MAX).starts_with("9999-12-31T"));
    }

    #[test]
    fn only_the_three_forms_of_an_http_date_are_parsed() {
        for text in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(http_date(text), Some(784_111_777_000), "{text}");
        }
        assert_eq!(http_date("Tue, 24 Nov 2026 12:00:00 GMT"), Some(1_795_521_600_000));
        for text in [
            "",
            "120",
            "soon",
            "Tue, 24 Nov 2026 12:00:00 CET",
            "Tue, 31 Nov 2026 12:00:00 GMT",
            "Tue, 24 Now 2026 12:00:00 GMT",
            "Tue, 24 Nov 2026 24:00:00 GMT",
            "Tue, 24 Nov 2026 12:00 GMT",
            "Wed, 31 Dec 1969 23:59:59 GMT",
            "Tue, 24 Nov 99999999999999999999 12:00:00 GMT",
            "Tue, +4 Nov 2026 12:00:00 GMT",
        ] {
            assert_eq!(http_date(text), None, "{text}");
        }
    }
}
