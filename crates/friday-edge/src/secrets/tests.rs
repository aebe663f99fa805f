use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn env(variable: &str) -> SecretSource {
    SecretSource::Env { variable: variable.to_owned() }
}

fn file(path: &str) -> SecretSource {
    SecretSource::File { path: path.to_owned() }
}

fn command(command: &str) -> SecretSource {
    SecretSource::Command { command: command.to_owned() }
}

fn one(name: &str, source: SecretSource) -> BTreeMap<String, SecretSource> {
    BTreeMap::from([(name.to_owned(), source)])
}

#[tokio::test]
async fn a_value_comes_from_environment_file_or_command() {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("key"), "from a file\r\n").expect("written");
    let sources = BTreeMap::from([
        ("A".to_owned(), env("PATH")),
        ("B".to_owned(), file("key")),
        ("C".to_owned(), command("printf 'a\\n\\n'")),
    ]);
    let secrets = collect(&sources, directory.path()).await.expect("collected");
    assert_eq!(secrets.values["A"].expose(), std::env::var("PATH").expect("set"));
    assert_eq!(secrets.values["B"].expose(), "from a file");
    assert_eq!(secrets.values["C"].expose(), "a\n");
}

#[tokio::test]
async fn what_cannot_be_had_names_the_secret_and_never_a_value() {
    let place = Path::new("/");
    let cases = [
        (env("FRIDAY_NO_SUCH_VARIABLE"), "FRIDAY_NO_SUCH_VARIABLE"),
        (file("/no/such/file"), "/no/such/file"),
        (command("echo hunter2; echo locked >&2; exit 1"), "locked"),
        (command("true"), "empty"),
        (command("printf 'a\\0b'"), "NUL"),
        (command("printf '\\377'"), "UTF-8"),
    ];
    for (source, says) in cases {
        let error = collect(&one("DATABASE_URL", source), place).await.expect_err("refused");
        let text = error.to_string();
        assert!(text.contains("DATABASE_URL") && text.contains(says), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn kept_secrets_are_private_named_by_chance_and_found_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let state = StateDirectory::at(directory.path().join(".friday"));
    let store = SecretStore::open(&state).expect("opened");
    let with = |value: &str| Secrets {
        values: BTreeMap::from([("KEY".to_owned(), SecretValue::new(value))]),
    };
    let first = store.keep(&with("hunter2")).expect("kept");
    assert_eq!(store.keep(&with("hunter2")).expect("kept"), first);
    let second = store.keep(&with("hunter3")).expect("kept");
    assert_ne!(first, second);
    assert_eq!(store.load(&first).expect("there"), with("hunter2"));
    let mode = fs::metadata(store.path(&first)).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let keep = BTreeSet::from([second.clone()]);
    store.prune(&keep, Duration::from_secs(3_600)).expect("pruned");
    assert!(store.load(&first).is_ok(), "it is too young to be nobody's");
    store.prune(&keep, Duration::ZERO).expect("pruned");
    assert!(store.load(&first).is_err() && store.load(&second).is_ok());
    assert!(!format!("{:?}", with("hunter2")).contains("hunter2"));
}

#[test]
fn a_version_from_outside_names_no_other_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = SecretStore::open(&StateDirectory::at(directory.path())).expect("opened");
    let path = store.path(&SecretsVersion::new("../../etc/passwd"));
    assert_eq!(path, directory.path().join("secrets/etcpasswd.json"));
}
