//! Environments laid over the base.

use super::{FULL, SMALL, drawn, good};
use crate::config::{Address, SecretSource, Settings, parse};

#[test]
fn an_environment_is_laid_over_the_base() {
    let base = good(FULL, None);
    let staging = good(FULL, Some("staging"));
    assert_eq!(staging.fleet.as_str(), "shop-staging");
    assert_eq!(staging.env.as_deref(), Some("staging"));
    // Tables merge, key by key.
    assert_eq!(staging.variables["LOG"], "debug");
    assert_eq!(staging.variables["EMPTY"], "");
    assert_eq!(staging.run, base.run);
    // Everything else is replaced: a list, and a secret's source.
    assert_eq!(staging.soak_ms, [1_000, 2_000]);
    assert_eq!(staging.secrets["TOKEN"], SecretSource::File { path: "staging.token".to_owned() });
    assert_eq!(staging.secrets["KEY"], base.secrets["KEY"]);
    // A local host of another environment is another host, though it has the same name.
    let dir = |settings: &Settings| match &settings.hosts[0].address {
        Address::Local { dir } => dir.clone(),
        Address::Ssh { host, .. } => host.clone(),
    };
    assert_eq!(dir(&staging), ".friday/hosts-staging/local-1");
    // Hosts are never merged: no worker of production, and not its keeper.
    let names: Vec<&str> = staging.hosts.iter().map(|host| host.name.as_str()).collect();
    assert_eq!(names, ["local-1", "local-2"]);
    assert_eq!(staging.keeper.as_str(), "local-1");
}

fn problems(text: &str, env: Option<&str>) -> Vec<String> {
    drawn(text, &parse("friday.toml", text, env).expect_err("a problem"))
}

#[test]
fn an_environment_must_exist() {
    assert_eq!(
        problems(FULL, Some("stagign")),
        ["74:2 there is no environment `stagign` |  | did you mean `staging`?"]
    );
    assert_eq!(
        problems(FULL, Some("qa")),
        ["74:2 there is no environment `qa` |  | there are: staging"]
    );
    assert_eq!(
        problems(SMALL, Some("qa")),
        ["1:1 there is no environment `qa` |  | write `[env.qa]` with what is different there"]
    );
}

#[test]
fn an_environment_never_pushes_to_the_bases_hosts() {
    let text = SMALL.to_owned() + "[env.qa.rollout]\nbake = \"1m\"\n";
    let wanted = [
        "6:6 the environment `qa` names no hosts | would be a second fleet on the base's hosts | give it its own: `[env.qa.hosts]`",
    ];
    assert_eq!(problems(&text, Some("qa")), wanted);
    // Told before it is chosen, too.
    assert_eq!(problems(&text, None), wanted);
}

#[test]
fn mistakes_in_an_environment_are_told_before_it_is_chosen() {
    let text = SMALL.to_owned()
        + "[env.qa]\nname = \"x\"\nwaves = [\"1\"]\n[env.qa.hosts]\nweb = [\"local:4\"]\n[env.qa.rollout]\nsoak = 5\n";
    assert_eq!(
        problems(&text, None),
        [
            "7:1 an environment has no `name` of its own |  | the fleet's name is made of both: `NAME-qa`",
            "8:1 there is no key `waves` at the top of the file | unknown key | `waves` belongs in `[rollout]`",
            "12:8 `rollout.soak` must be a duration or a list of durations, not a whole number | this is a whole number | write \"5s\" for seconds or \"5m\" for minutes",
        ]
    );
}

#[test]
fn hosts_may_stand_in_environments_alone() {
    let text = SMALL.replace("[hosts]", "[env.qa.hosts]");
    assert_eq!(good(&text, Some("qa")).hosts.len(), 3);
    assert_eq!(
        problems(&text, None),
        ["1:1 there are no hosts |  | choose an environment: `--env qa`"]
    );
}

#[test]
fn what_is_no_environment_is_told() {
    let text = SMALL.replace("[release]", "env = { LOG = \"info\" }\n[release]");
    assert_eq!(
        problems(&text, None),
        [
            "2:9 the environment `LOG` must be a table, not a string |  | an environment is `[env.staging]`; variables of the application belong in `[release]`: env = { LOG = \"info\" }"
        ]
    );
}
