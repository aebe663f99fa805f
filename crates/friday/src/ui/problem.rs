//! Draws a mistake in a configuration: file, line, caret, hint.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use anstream::ColorChoice;
use friday_core::config::Problem;

use super::text::shown;

/// The drawing, without a line break at its end.
pub fn draw(problem: &Problem, text: &str, color: ColorChoice) -> String {
    // The renderer shows control characters of the source itself; what friday says about it is made
    // harmless here.
    let message = shown(&problem.message);
    let label = shown(&problem.label);
    let hint = problem.hint.as_deref().map(shown);
    let file = shown(&problem.file);
    let annotation = AnnotationKind::Primary.span(problem.span.clone());
    let annotation = if label.is_empty() { annotation } else { annotation.label(label.as_str()) };
    let snippet = Snippet::source(text).path(file.as_str()).annotation(annotation);
    let mut group =
        Group::with_title(Level::ERROR.primary_title(message.as_str())).element(snippet);
    if let Some(hint) = &hint {
        group = group.element(Level::HELP.message(hint.as_str()));
    }
    let renderer = match color {
        ColorChoice::Never => Renderer::plain(),
        _ => Renderer::styled(),
    };
    format!("{}\n", renderer.render(&[group]))
}
