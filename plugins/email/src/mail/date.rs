//! Formats dates for mail headers (RFC 5322), in UTC.

use tidings_plugin::time::Day;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// 1970-01-01 was a Thursday.
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const DAY_MS: u64 = 24 * 3600 * 1000;
/// 9999-12-31, the last day whose year has four digits.
const LAST_DAY: u64 = 2_932_896;

/// Formats milliseconds since 1970-01-01 UTC as `Tue, 24 Nov 2026 12:00:00 +0000`.
pub fn rfc5322(ms: u64) -> String {
    let days = (ms / DAY_MS).min(LAST_DAY);
    let seconds = ms % DAY_MS / 1000;
    let Day { year, month, day } = Day::after_epoch(days);
    format!(
        "{}, {day:02} {} {year:04} {:02}:{:02}:{:02} +0000",
        WEEKDAYS[(days % 7) as usize],
        MONTHS[month as usize - 1],
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_follow_the_calendar() {
        for (ms, date) in [
            (0, "Thu, 01 Jan 1970 00:00:00 +0000"),
            (951_782_399_999, "Mon, 28 Feb 2000 23:59:59 +0000"),
            (951_782_400_000, "Tue, 29 Feb 2000 00:00:00 +0000"),
            (1_767_225_599_000, "Wed, 31 Dec 2025 23:59:59 +0000"),
            (1_795_521_600_000, "Tue, 24 Nov 2026 12:00:00 +0000"),
            (4_107_542_400_000, "Mon, 01 Mar 2100 00:00:00 +0000"),
        ] {
            assert_eq!(rfc5322(ms), date);
        }
        assert!(rfc5322(u64::MAX).contains("31 Dec 9999"));
    }
}
