//! Which host runs a once process: in a push, and in the act that moves it.
//!
//! Only from what the own raise was answered. A host that says *here* stays the one. Where none says so,
//! another is chosen only if every host of the fleet answered: one that is silent may run it. After the
//! raise no earlier driver can begin anything that makes a second one.

use std::collections::BTreeMap;

use friday_wire::{Fault, Head, Holder, HostName, ProcessName};

use super::{View, round};
use crate::journal::Event;
use crate::journal::event::End;
use crate::journal::round::RoundAsk;
use crate::reason::Reason;
use crate::rollout::plan::Plan;
use crate::rollout::run::Round;

/// The hosts that run the once processes of a push; gates have made sure of each.
pub fn assigned(view: View<'_>, plan: &Plan) -> BTreeMap<ProcessName, HostName> {
    let all = plan.once.iter();
    all.filter_map(|(process, hosts)| Some((process.clone(), holder(view, process, hosts).ok()?)))
        .collect()
}

/// The host that runs a process in this push, or why that cannot be said. `hosts`: those of its roles, in
/// the configuration's order.
pub fn holder(
    view: View<'_>,
    process: &ProcessName,
    hosts: &[HostName],
) -> Result<HostName, String> {
    match here(view, process).as_slice() {
        [one] if hosts.contains(one) => return Ok((*one).clone()),
        [one] => return Err(format!("`{one}` runs it and has none of its roles")),
        [] => {}
        [one, other, ..] => return Err(format!("both `{one}` and `{other}` run it")),
    }
    if let Some(silent) = view.all().into_iter().find(|host| !view.rollout.heads.contains_key(host))
    {
        return Err(format!("`{silent}` does not answer, and may run it"));
    }
    let told = told(view, process);
    if let Some(told) = &told
        && !view.rollout.heads.contains_key(told)
    {
        return Err(format!("`{told}` may run it, and is not in the configuration"));
    }
    let again = told.filter(|told| hosts.contains(told));
    again.or_else(|| hosts.first().cloned()).ok_or_else(|| "no host has its roles".to_owned())
}

/// The hosts that say that they run it.
fn here<'v>(view: View<'v>, process: &ProcessName) -> Vec<&'v HostName> {
    let says =
        |head: &Head| head.once.get(process).is_some_and(|known| known.value == Holder::Here);
    view.rollout.heads.iter().filter(|(_, head)| says(head)).map(|(host, _)| host).collect()
}

/// The host that others were told of last.
fn told(view: View<'_>, process: &ProcessName) -> Option<HostName> {
    let known = view.rollout.heads.values().filter_map(|head| head.once.get(process));
    let named = known.filter_map(|known| match &known.value {
        Holder::Host { host } => Some((&known.fence, host)),
        Holder::Here => None,
    });
    let (mut fence, mut host) = named.max()?;
    // What others were told of a host before it left, or took another name, is over.
    while let Some(parted) = view.state.parted.get(host).filter(|parted| *fence < parted.fence) {
        (fence, host) = (&parted.fence, parted.now.as_ref()?);
    }
    Some(host.clone())
}

/// After the raise of a move: every other host gives it up first.
pub fn moves(
    view: View<'_>,
    process: &ProcessName,
    to: &HostName,
    dead: &[HostName],
) -> Vec<Event> {
    let refuse = |why: String| {
        let reasons = vec![Reason::Once { process: process.clone(), why }];
        view.wind_up(End::Refused { reasons })
    };
    let heads = &view.rollout.heads;
    if !heads.contains_key(to) {
        return refuse(format!("`{to}` does not answer"));
    }
    let is_dead = |host: &HostName| dead.contains(host) && !heads.contains_key(host);
    let silent = view.all().into_iter().find(|host| !heads.contains_key(host) && !is_dead(host));
    if let Some(silent) = silent {
        return refuse(format!("`{silent}` does not answer, and may run it"));
    }
    let told = told(view, process).filter(|told| !heads.contains_key(told) && !is_dead(told));
    if let (Some(told), true) = (told, here(view, process).is_empty()) {
        return refuse(format!("`{told}` may run it, and is not in the configuration"));
    }
    let others: Vec<HostName> = view.answering().into_iter().filter(|host| host != to).collect();
    let first = if others.is_empty() { vec![to.clone()] } else { others };
    vec![round::begin(view, RoundAsk::Act, first)]
}

/// A round of a move ended: then the new host is told; then it is done.
pub fn moved(view: View<'_>, to: &HostName, done: &Round) -> Vec<Event> {
    let failed: Vec<Reason> = round::not_ok(done)
        .map(|(host, why)| Reason::HostFailed { host: host.clone(), why, fault: Fault::Release })
        .collect();
    if !failed.is_empty() {
        return view.wind_up(End::NotSwitched { reasons: failed });
    }
    if done.answers().any(|(host, _)| host == to) {
        return view.wind_up(End::Done);
    }
    vec![round::begin(view, RoundAsk::Act, vec![to.clone()])]
}
