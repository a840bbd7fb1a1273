//! Line charts as SVG, by hand: panels with axes, and lines that are told apart by colour, dashes and a legend. They read
//! on light and on dark ground, and name no font that has to be fetched.

use std::fmt::Write as _;

/// How a number of messages becomes a height.
#[derive(Clone, Copy, Debug)]
pub enum Scale {
    /// From nothing to this.
    Linear { top: f64 },
    /// A tenfold is a step; nothing is a place of its own below one.
    Log { top: f64 },
}

pub struct Panel<'a> {
    pub title: String,
    /// Hours, from and to.
    pub hours: (f64, f64),
    /// Hours between two marks.
    pub step: f64,
    pub scale: Scale,
    pub lines: Vec<Line<'a>>,
}

pub struct Line<'a> {
    /// Its class: one of `s1` to `s5`.
    pub class: &'a str,
    /// At equal distances over the panel's width.
    pub values: Vec<usize>,
}

const WIDTH: f64 = 960.0;
/// Beside a panel, left and right.
const MARGIN: (f64, f64) = (84.0, 10.0);
/// Space above a panel for its title, and below for its axis.
const ABOVE: f64 = 30.0;
const BELOW: f64 = 44.0;
const LEGEND_LINE: f64 = 20.0;

const STYLE: &str = "\
text{font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;font-size:12px;fill:#57606a}\
.title{font-size:13px;font-weight:600;fill:#24292f}\
.axis{stroke:#8c959f;stroke-width:1;fill:none}.grid{stroke:#8c959f;stroke-opacity:.25;stroke-width:1}\
.line{fill:none;stroke-width:1.8;stroke-linejoin:round}\
.s1{stroke:#8250df;stroke-dasharray:7 5}.s2{stroke:#cf222e;stroke-width:4.2}.s3{stroke:#bc6c00;stroke-dasharray:2 3}\
.s4{stroke:#0969da;stroke-width:1.6}.s5{stroke:#1a7f37;stroke-width:2.6}\
@media (prefers-color-scheme:dark){text{fill:#9198a1}.title{fill:#f0f6fc}.s1{stroke:#ab7df8}.s2{stroke:#f85149}\
.s3{stroke:#e0a030}.s4{stroke:#4493f8}.s5{stroke:#3fb950}}";

/// Panels in rows of `columns`, each so high, with a legend of (class, text) above.
pub fn svg(label: &str, legend: &[(&str, &str)], panels: &[Panel<'_>], columns: usize, height: f64) -> String {
    let top = LEGEND_LINE * legend.len().div_ceil(2) as f64 + 10.0;
    let rows = panels.len().div_ceil(columns);
    let all = top + rows as f64 * (ABOVE + height + BELOW);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {all}\" width=\"{WIDTH}\" height=\"{all}\" \
         role=\"img\" aria-label=\"{label}\">\n<style>{STYLE}</style>\n"
    );
    for (number, (class, text)) in legend.iter().enumerate() {
        let (x, y) = (MARGIN.0 + (number % 2) as f64 * WIDTH / 2.0, 16.0 + (number / 2) as f64 * LEGEND_LINE);
        let _ = writeln!(
            out,
            "<path class=\"line {class}\" d=\"M{x} {}h32\"/><text x=\"{}\" y=\"{y}\">{text}</text>",
            y - 4.0,
            x + 40.0
        );
    }
    let width = WIDTH / columns as f64;
    for (number, panel) in panels.iter().enumerate() {
        let frame = Frame {
            x: (number % columns) as f64 * width + MARGIN.0,
            y: top + (number / columns) as f64 * (ABOVE + height + BELOW) + ABOVE,
            width: width - MARGIN.0 - MARGIN.1,
            height,
        };
        panel.draw(&frame, &mut out);
    }
    out.push_str("</svg>\n");
    out
}

/// Where a panel is.
struct Frame {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

impl Scale {
    /// From 0 at the bottom to 1 at the top.
    fn part(self, value: f64) -> f64 {
        match self {
            Scale::Linear { top } => value / top,
            Scale::Log { top } => (value.max(LOG_NOTHING) / LOG_NOTHING).log10() / (top / LOG_NOTHING).log10(),
        }
    }

    fn marks(self) -> Vec<f64> {
        match self {
            Scale::Linear { top } => (0..=4).map(|quarter| top * f64::from(quarter) / 4.0).collect(),
            Scale::Log { top } => {
                let powers = (0..).map(|power| 10_f64.powi(power)).take_while(|mark| *mark <= top);
                std::iter::once(0.0).chain(powers).collect()
            }
        }
    }
}

/// Where nothing is drawn on a scale of tenfolds.
const LOG_NOTHING: f64 = 0.3;

impl Panel<'_> {
    fn draw(&self, frame: &Frame, out: &mut String) {
        let Frame { x, y, width, height } = frame;
        let (bottom, (from, to)) = (y + height, self.hours);
        let _ = writeln!(out, "<text class=\"title\" x=\"{x}\" y=\"{}\">{}</text>", y - 10.0, self.title);
        for mark in self.scale.marks() {
            let at = bottom - self.scale.part(mark) * height;
            let _ = writeln!(
                out,
                "<path class=\"grid\" d=\"M{x} {at:.1}h{width}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                x - 6.0,
                at + 4.0,
                thousands(mark)
            );
        }
        let mut hour = (from / self.step).ceil() * self.step;
        while hour <= to {
            let at = x + (hour - from) / (to - from) * width;
            let _ = writeln!(
                out,
                "<path class=\"axis\" d=\"M{at:.1} {bottom}v4\"/>\
                 <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{hour}</text>",
                bottom + 17.0
            );
            hour += self.step;
        }
        let _ = writeln!(
            out,
            "<path class=\"axis\" d=\"M{x} {y}V{bottom}h{width}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">hours</text>\
             <text text-anchor=\"middle\" transform=\"translate({:.1} {:.1}) rotate(-90)\">messages waiting</text>",
            x + width / 2.0,
            bottom + 33.0,
            x - 70.0,
            y + height / 2.0
        );
        for line in &self.lines {
            let _ = writeln!(out, "<path class=\"line {}\" d=\"{}\"/>", line.class, self.path(frame, &line.values));
        }
    }

    /// Points that do not leave the height of the last one are left out.
    fn path(&self, frame: &Frame, values: &[usize]) -> String {
        let last = values.len().saturating_sub(1);
        let heights: Vec<f64> = values
            .iter()
            .map(|value| frame.y + frame.height - self.scale.part(*value as f64).clamp(0.0, 1.0) * frame.height)
            .map(|height| (height * 10.0).round() / 10.0)
            .collect();
        let mut path = String::new();
        for (n, height) in heights.iter().enumerate() {
            if n > 0 && n < last && heights[n - 1] == *height && heights[n + 1] == *height {
                continue;
            }
            let x = frame.x + frame.width * n as f64 / last.max(1) as f64;
            let _ = write!(path, "{}{x:.1} {height}", if n == 0 { 'M' } else { 'L' });
        }
        path
    }
}

/// A number as people write it: 300,000.
pub fn thousands(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, text) in [(0.0, "0"), (999.4, "999"), (1000.0, "1,000"), (1_234_567.0, "1,234,567")] {
            assert_eq!(thousands(number), text);
        }
    }

    #[test]
    fn a_tenfold_is_one_step_and_nothing_is_the_bottom() {
        let scale = Scale::Log { top: 1e6 };
        assert_eq!((scale.part(0.0), scale.part(1e6)), (0.0, 1.0));
        let step = scale.part(100.0) - scale.part(10.0);
        assert!((scale.part(1e5) - scale.part(1e4) - step).abs() < 1e-9);
    }
}
