//! What kind of project a directory holds: the first thing that is recognised wins.

use super::DirectoryFacts;

/// What is written down, and what it was guessed from.
pub(super) struct Guess {
    /// One line for a person.
    pub(super) seen: String,
    /// Builds the release.
    pub(super) build: Option<String>,
    /// What is shipped; never empty.
    pub(super) path: String,
    /// Starts it.
    pub(super) run: Option<String>,
}

impl Guess {
    fn new(seen: &str, build: Option<&str>, path: &str, run: Option<&str>) -> Self {
        Self {
            seen: format!("Guessed from {seen}; correct what is wrong."),
            build: build.map(str::to_owned),
            path: path.to_owned(),
            run: run.map(str::to_owned),
        }
    }
}

/// Recognises a project.
pub(super) fn guess(facts: &DirectoryFacts) -> Guess {
    let known = [cargo, node, procfile, go, ruby, python, built];
    let mut found = known.iter().find_map(|recognise| recognise(facts)).unwrap_or_else(|| Guess {
        seen: "Nothing was recognised here: say what is shipped and how it runs.".to_owned(),
        ..Guess::new("", None, ".", None)
    });
    // A Procfile says how a thing starts, whatever it is.
    if let Some(web) = process(facts) {
        found.run = Some(web);
    }
    // What cannot be a value is worse than no value.
    if found.path.trim().is_empty() || found.path.contains(char::is_control) {
        found.path = ".".to_owned();
    }
    found.run = found.run.filter(|run| !run.trim().is_empty());
    found
}

fn cargo(facts: &DirectoryFacts) -> Option<Guess> {
    if !facts.has_file("Cargo.toml") {
        return None;
    }
    let package = facts.texts.get("Cargo.toml").and_then(|text| {
        let table: toml::Table = text.parse().ok()?;
        Some(table.get("package")?.get("name")?.as_str()?.to_owned())
    });
    let package = package.filter(|name| is_plain(name)).unwrap_or_else(|| "app".to_owned());
    let build = format!(
        "cargo build --release --locked && mkdir -p dist/bin && cp target/release/{package} dist/bin/"
    );
    Some(Guess::new("Cargo.toml", Some(&build), "dist", Some(&format!("exec bin/{package}"))))
}

fn node(facts: &DirectoryFacts) -> Option<Guess> {
    if !facts.has_file("package.json") {
        return None;
    }
    let package: Option<serde_json::Value> =
        facts.texts.get("package.json").and_then(|text| serde_json::from_str(text).ok());
    let script = |name: &str| package.as_ref()?.get("scripts")?.get(name)?.as_str();
    let build = match script("build") {
        Some(_) => "npm ci && npm run build",
        None => "npm ci",
    };
    if script("start").is_some() {
        return Some(Guess::new("package.json", Some(build), ".", Some("exec npm start")));
    }
    // No server of its own: a site that is built.
    let path = ["dist", "build", "out"].into_iter().find(|name| facts.has_directory(name));
    match (path, script("build")) {
        (Some(path), _) => Some(Guess::new("package.json", Some(build), path, None)),
        (None, Some(_)) => Some(Guess::new("package.json", Some(build), "dist", None)),
        (None, None) => Some(Guess::new("package.json", Some(build), ".", Some("exec node ."))),
    }
}

fn procfile(facts: &DirectoryFacts) -> Option<Guess> {
    let run = process(facts)?;
    Some(Guess::new("Procfile", None, ".", Some(&run)))
}

fn go(facts: &DirectoryFacts) -> Option<Guess> {
    facts.has_file("go.mod").then(|| {
        let build = "CGO_ENABLED=0 go build -trimpath -o dist/bin/app .";
        Guess::new("go.mod", Some(build), "dist", Some("exec bin/app"))
    })
}

fn ruby(facts: &DirectoryFacts) -> Option<Guess> {
    if !facts.has_file("Gemfile") {
        return None;
    }
    let rails = facts.executables.iter().any(|path| path == "bin/rails");
    let run =
        if rails { "exec bin/rails server -p $PORT" } else { "exec bundle exec puma -p $PORT" };
    Some(Guess::new("Gemfile", None, ".", Some(run)))
}

fn python(facts: &DirectoryFacts) -> Option<Guess> {
    let seen =
        ["pyproject.toml", "requirements.txt"].into_iter().find(|file| facts.has_file(file))?;
    let run = if facts.has_file("manage.py") {
        "exec python3 manage.py runserver --noreload 127.0.0.1:$PORT"
    } else {
        "exec python3 -m app --port $PORT"
    };
    Some(Guess::new(seen, None, ".", Some(run)))
}

/// Something is there already: a directory that was built, or a program.
fn built(facts: &DirectoryFacts) -> Option<Guess> {
    let inside = |directory: &str| -> Option<String> {
        let prefix = format!("{directory}/");
        let programs = facts.executables.iter().filter_map(|path| path.strip_prefix(&prefix));
        programs.filter(|name| is_plain(name)).min().map(str::to_owned)
    };
    for directory in ["dist", "build", "out"] {
        if facts.has_directory(directory) {
            let run = inside(directory).map(|name| format!("exec ./{name}"));
            let seen = format!("the directory {directory}");
            return Some(Guess::new(&seen, None, directory, run.as_deref()));
        }
    }
    if let Some(name) = inside("bin") {
        let seen = format!("bin/{name}");
        return Some(Guess::new(&seen, None, ".", Some(&format!("exec bin/{name}"))));
    }
    let program = facts.executables.iter().filter(|path| is_plain(path)).min()?;
    Some(Guess::new(program, None, program, Some(&format!("exec ./{program}"))))
}

/// The command of a Procfile's `web`, as one line.
fn process(facts: &DirectoryFacts) -> Option<String> {
    let text = facts.texts.get("Procfile")?;
    let web = text.lines().find_map(|line| line.trim().strip_prefix("web:"))?.trim();
    (!web.is_empty() && !web.contains(char::is_control)).then(|| web.to_owned())
}

/// A name that stands in a command without quotes.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(['-', '.'])
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}
