//! The log on stderr: lines of text or of JSON, one event each, whatever stands in it.

use std::fmt;
use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{Format, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt as log_to};

use crate::config::LogFormat;

/// Starts the log of this process.
pub(crate) fn start(level: Level, format: LogFormat) {
    let lines = log_to::layer()
        .with_writer(std::io::stderr)
        // It would report a log line that cannot be written on stderr too, and panic there.
        .log_internal_errors(false);
    // Colours are for people; a file or a collector would keep them as escape codes.
    let is_for_people = std::io::stderr().is_terminal();
    let lines = match format {
        LogFormat::Text => lines
            .with_ansi(is_for_people)
            .event_format(Lines(Format::default().with_ansi(is_for_people)))
            .boxed(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed(),
    };
    tracing_subscriber::registry()
        .with(lines.with_filter(of_ours(level)))
        .init();
}

/// At debug and trace, libraries tell what they send and receive, with every secret in it: of theirs no more than
/// what is worth to be known is logged, however much of ours is asked for.
fn of_ours(level: Level) -> Targets {
    Targets::new()
        .with_target("nexa_server", level)
        .with_default(LevelFilter::from_level(level).min(LevelFilter::INFO))
}

/// Text that stays on its line: a line feed in what others have sent would begin a line that nobody has logged.
struct Lines(Format);

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Self(format) = self;
        let mut line = String::new();
        format.format_event(context, Writer::new(&mut line), event)?;
        let is_for_people = writer.has_ansi_escapes();
        for c in line.trim_end_matches('\n').chars() {
            // Escapes in what others have sent have been taken out; those that are left are our colours.
            if c.is_control() && !(is_for_people && c == '\u{1b}') {
                write!(writer, "{}", c.escape_default())?;
            } else {
                writer.write_char(c)?;
            }
        }
        writer.write_char('\n')
    }
}
