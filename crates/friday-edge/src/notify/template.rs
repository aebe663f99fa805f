//! A team's own words: a text template of which the first line is the title.
//!
//! Fields: `kind` (`announce`, `done`, `held`, `taken_back`, `test`), `title`, `lines`, `facts` (each with `name` and
//! `value`), `links` (each with `text` and `url`), `thread`, `id`, `at`, and `next_update`, which is none where nothing
//! more is to come. The text is escaped by the channel, after this: a template has no markup of any channel.

use std::io::{self, Write};

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};

use super::Message;
use super::text::{cut_chars, moment, one_line};

/// A template, bytes.
const SOURCE_LEN_MAX: usize = 64 * 1024;

/// What it makes, bytes: no channel takes more.
const TEXT_LEN_MAX: usize = 64 * 1024;

/// Steps of the engine: a template that loops for ever ends.
const FUEL: u64 = 200_000;

/// An error of the engine, characters.
const WHY_LEN_MAX: usize = 300;

/// What is wrong with a template, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template `{name}`, line {line}: {why}")]
pub struct TemplateError {
    /// Which.
    pub name: String,
    /// The line, 1 for the first.
    pub line: usize,
    /// What.
    pub why: String,
}

/// A template that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    name: String,
    source: String,
}

impl Template {
    /// Reads one; `name` is for its errors.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub fn parse(name: &str, source: &str) -> Result<Self, TemplateError> {
        if source.len() > SOURCE_LEN_MAX {
            let why = format!("it is longer than {SOURCE_LEN_MAX} bytes");
            return Err(TemplateError { name: name.to_owned(), line: 1, why });
        }
        let template = Self { name: name.to_owned(), source: source.to_owned() };
        let engine = engine();
        let read = engine.template_from_named_str(name, source);
        read.map_err(|error| template.wrong(&error))?;
        Ok(template)
    }

    /// The message in these words: all that the template left out is not said.
    ///
    /// # Errors
    /// [`TemplateError`]: it asks for what is not there, or makes too much or nothing.
    pub fn apply(&self, message: &Message) -> Result<Message, TemplateError> {
        let text = self.render(message)?;
        let mut lines = text.lines().map(|line| line.trim_end().to_owned());
        let title = lines.by_ref().find(|line| !line.trim().is_empty());
        let Some(title) = title else {
            let why = "it makes no text".to_owned();
            return Err(TemplateError { name: self.name.clone(), line: 1, why });
        };
        let mut lines: Vec<String> = lines.skip_while(String::is_empty).collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        Ok(Message {
            title,
            lines,
            facts: Vec::new(),
            links: Vec::new(),
            next_update: None,
            ..message.clone()
        })
    }

    fn render(&self, message: &Message) -> Result<String, TemplateError> {
        let facts: Vec<Value> = message
            .facts
            .iter()
            .map(|(name, value)| context! { name => name.clone(), value => value.clone() })
            .collect();
        let links: Vec<Value> = message
            .links
            .iter()
            .map(|link| context! { text => link.text.clone(), url => link.url.clone() })
            .collect();
        let fields = context! {
            kind => message.kind.name(),
            title => message.title.clone(),
            lines => message.lines.clone(),
            facts => facts,
            links => links,
            thread => message.thread.clone(),
            id => message.id.clone(),
            at => moment(message.at),
            next_update => message.next_update.map(moment),
        };
        let engine = engine();
        let mut text = Bounded(Vec::new());
        engine
            .template_from_named_str(&self.name, &self.source)
            .and_then(|template| template.render_captured_to(fields, &mut text).map(drop))
            .map_err(|error| self.wrong(&error))?;
        Ok(String::from_utf8_lossy(&text.0).into_owned())
    }

    fn wrong(&self, error: &minijinja::Error) -> TemplateError {
        let why = match error.detail() {
            Some(detail) => format!("{}: {detail}", error.kind()),
            None => error.kind().to_string(),
        };
        let why = cut_chars(&one_line(&why), WHY_LEN_MAX);
        TemplateError { name: self.name.clone(), line: error.line().unwrap_or(1), why }
    }
}

fn engine<'source>() -> Environment<'source> {
    let mut engine = Environment::new();
    engine.set_auto_escape_callback(|_| AutoEscape::None);
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_fuel(Some(FUEL));
    engine
}

/// Text that does not grow for ever.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > TEXT_LEN_MAX {
            return Err(io::Error::other("it makes too long a text"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
