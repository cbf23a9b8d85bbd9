//! The library and a reference model decide equally. The model is a second implementation of the decision, written from
//! the documentation and not from the code.
//!
//! 1. [`rules`]: rule sets as data, and their TOML.
//! 2. [`generator`]: random rule sets, callers and requests.
//! 3. [`model`]: the model.
//! 4. [`service`]: the decisions of the library, in the words of the model.
//!
//! `SIGNPOST_MODEL_CASES` sets the number of compared decisions. It is 100,000 by default, and 100,000,000 before each
//! release (see tests/README.md).

mod rules;
mod generator;
mod model;
mod service;

use std::cell::{LazyCell, RefCell};
use std::collections::BTreeMap;

use proptest::test_runner::{Config, TestCaseError, TestRunner};

use generator::{Case, Kind, Link, Request, Scope};
use model::Caller;
use rules::{RuleData, RuleSet};
use service::{Observed, Service};

/// The compared decisions of each kind.
type Counts = BTreeMap<&'static str, u64>;

#[test]
fn the_library_decides_as_the_reference_model() {
    let decisions = std::env::var("SIGNPOST_MODEL_CASES").map_or(100_000, |text| text.parse().expect("a number"));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let counts = std::thread::scope(|scope| {
        let share = decisions / threads;
        let runs: Vec<_> = (0..threads).map(|_| scope.spawn(move || compare(share))).collect();
        let counts = runs
            .into_iter()
            .flat_map(|run| run.join().expect("the library and the model agree"));
        counts.fold(Counts::new(), |mut sum, (name, count)| {
            *sum.entry(name).or_default() += count;
            sum
        })
    });
    println!("{counts:#?}");
    // Rare cases need many decisions.
    if decisions >= 100_000 {
        assert_coverage(&counts);
    }
}

/// Compares about this number of decisions.
fn compare(decisions: usize) -> Counts {
    let counts = RefCell::new(Counts::new());
    let config = Config {
        cases: u32::try_from(decisions / 120).expect("fewer decisions"),
        failure_persistence: None,
        max_shrink_iters: 4_000,
        ..Config::default()
    };
    let run = TestRunner::new(config).run(&generator::case(), |case| compare_case(&case, &mut counts.borrow_mut()));
    run.unwrap();
    counts.into_inner()
}

/// Fails if the generated cases prove little.
fn assert_coverage(counts: &Counts) {
    let all = counts["requests"];
    for (name, per_10_000) in [
        ("allowed", 500),
        ("denied by a deny rule", 200),
        ("no allow rule", 500),
        ("denied by the storage key", 1),
        ("denied by another name", 3),
        ("rewritten", 50),
        ("id", 10),
        ("denied id", 1),
        ("sessions", 30),
        ("session: ended", 3),
        ("too large", 10),
        ("no length", 10),
        ("media type", 10),
        ("listing: all", 10),
        ("listing: the way", 4),
        ("listing: rejected", 50),
        ("links created", 30),
        ("link: allowed", 10),
        ("link: rejected", 10),
    ] {
        let count = counts.get(name).copied().unwrap_or_default();
        assert!(count * 10_000 >= all * per_10_000, "{name}: only {count} of {all}");
    }
}

fn compare_case(case: &Case, counts: &mut Counts) -> Result<(), TestCaseError> {
    let now = Service::new(&case.now);
    let later = LazyCell::new(|| Service::new(&case.later));
    for identity in &case.callers {
        let Some(user_id) = now.user_id(identity) else { continue };
        let caller = now.caller(identity, &user_id);
        for request in case
            .requests
            .iter()
            .filter(|request| request.kind != Kind::List || !case.now.has_names())
        {
            let request = request.of_user(&user_id);
            let expected = expect_request(&case.now, &caller, &request, counts);
            let observed = now.observe(identity, &request);
            check(&expected, &observed, &(&case.now, identity, &request))?;
            *counts.entry("requests").or_default() += 1;
        }
        if let Some(cookie) = now.start_session(identity) {
            compare_session(case, &later, &caller, &cookie, counts)?;
        }
        for link in &case.links {
            let link = link.of_user(&user_id);
            let expected = may_create(&case.now, &caller, &link);
            let created = now.create_link(identity, &link);
            if created.is_some() != expected {
                return Err(TestCaseError::fail(format!(
                    "the model creates: {expected}\n{link:?}\n{caller:?}\n{}",
                    case.now.to_toml()
                )));
            }
            let Some(token) = created else { continue };
            *counts.entry("links created").or_default() += 1;
            for (index, request) in case
                .requests
                .iter()
                .filter(|request| request.kind != Kind::List)
                .enumerate()
            {
                let mut request = request.of_user(&user_id);
                if index % 3 > 0 {
                    request.key = link.scope.key(&request.key);
                }
                let expected = expect_use(&case.now, &case.later, &caller, &link, &request, counts);
                let observed = later.observe_link(&token, link.age, &request);
                check(
                    &expected,
                    &observed,
                    &(&case.now, &case.later, identity, &link, &request),
                )?;
                *counts.entry("requests").or_default() += 1;
            }
        }
    }
    Ok(())
}

/// Compares the requests of a session under the later rules.
fn compare_session(
    case: &Case,
    later: &Service,
    creator: &Caller,
    cookie: &str,
    counts: &mut Counts,
) -> Result<(), TestCaseError> {
    let is_bound = creator.issuer != Some("idp") || case.now.issuer == case.later.issuer;
    let caller = case.now.stored(creator, &case.later);
    for request in case.requests.iter().filter(|request| request.kind != Kind::List) {
        let request = request.of_user(&creator.claims["user_id"]);
        let expected = if is_bound {
            expect_request(&case.later, &caller, &request, counts)
        } else {
            *counts.entry("session: ended").or_default() += 1;
            vec![Observed::Rejected(401)]
        };
        let observed = later.observe_session(cookie, &request);
        check(&expected, &observed, &(&case.now, &case.later, creator, &request))?;
        *counts.entry("sessions").or_default() += 1;
        *counts.entry("requests").or_default() += 1;
    }
    Ok(())
}

/// The expected outcome; several ones if the documentation does not define the order of two checks.
type Expected = Vec<Observed>;

fn check(expected: &Expected, observed: &Observed, input: &dyn std::fmt::Debug) -> Result<(), TestCaseError> {
    if expected.contains(observed) {
        return Ok(());
    }
    Err(TestCaseError::fail(format!(
        "the model: {expected:?}\nthe library: {observed:?}\n{input:#?}"
    )))
}

fn expect_request(rules: &RuleSet, caller: &Caller, request: &Request, counts: &mut Counts) -> Expected {
    if caller.issuer.is_none()
        && rules
            .issuer
            .is_some_and(|verifier| verifier != rules::Verifier::Signpost)
    {
        return vec![Observed::Rejected(401)];
    }
    if request.kind == Kind::List {
        return expect_listing(rules, caller, request, counts);
    }
    let Some((rule, location)) = rules.decide(caller, request.kind.action(), &request.key) else {
        count_rejection(rules, caller, request, counts);
        return vec![Observed::Rejected(if caller.issuer.is_none() { 401 } else { 403 })];
    };
    let kind = match &location {
        model::Location::Id { is_denied: true, .. } => "denied id",
        model::Location::Id { .. } => "id",
        model::Location::Key(key) if *key != request.key => "rewritten",
        model::Location::Key(_) => "plain",
    };
    *counts.entry(kind).or_default() += 1;
    expect_constraints(rule, location, request, None, counts)
}

fn count_rejection(rules: &RuleSet, caller: &Caller, request: &Request, counts: &mut Counts) {
    *counts
        .entry(rules.reason(caller, request.kind.action(), &request.key))
        .or_default() += 1;
}

fn expect_listing(rules: &RuleSet, caller: &Caller, request: &Request, counts: &mut Counts) -> Expected {
    let folders = rules.list(caller, &request.key);
    let kind = match &folders {
        None => "listing: rejected",
        Some(folders) if folders.is_empty() => "listing: all",
        Some(_) => "listing: the way",
    };
    *counts.entry(kind).or_default() += 1;
    let visible = service::KEYS_OF_LISTINGS
        .iter()
        .filter(|key| rules.decide(caller, "list", key).is_some());
    let visible = visible.copied().collect();
    vec![folders.map_or(
        Observed::NoListing {
            visible: Vec::clone(&visible),
        },
        |folders| Observed::Listing { folders, visible },
    )]
}

/// The constraints of the rule. A link never replaces an object and limits the lifetime.
fn expect_constraints(
    rule: &RuleData,
    location: model::Location,
    request: &Request,
    lifetime: Option<u64>,
    counts: &mut Counts,
) -> Expected {
    let mut rejections = Vec::new();
    let limits = &rule.limits;
    let (has_length, has_type) = match request.kind {
        Kind::Put | Kind::CreateUpload => (true, true),
        Kind::UploadPart | Kind::CompleteUpload => (true, false),
        _ => (false, false),
    };
    match (limits.max_bytes.filter(|_| has_length), request.length) {
        (Some(_), None) if request.kind != Kind::CreateUpload => rejections.push((411, "no length")),
        (Some(max), Some(length)) if length > max => rejections.push((413, "too large")),
        _ => {}
    }
    if has_type {
        let is_listed = |listed: &str| {
            request
                .content_type
                .is_some_and(|sent| sent == listed || listed == "image/*" && sent.starts_with("image/"))
        };
        if limits.content_types.is_some_and(|listed| !is_listed(listed)) {
            rejections.push((415, "media type"));
        }
    }
    if !rejections.is_empty() {
        for (_, name) in &rejections {
            *counts.entry(name).or_default() += 1;
        }
        return rejections
            .into_iter()
            .map(|(status, _)| Observed::Rejected(status))
            .collect();
    }
    *counts.entry("allowed").or_default() += 1;
    vec![Observed::Allowed {
        rule: rule.id.clone(),
        location,
        create_only: matches!(request.kind, Kind::Put | Kind::CompleteUpload)
            && (!limits.overwrite || lifetime.is_some()),
        expires: lifetime.map_or(limits.expires, |lifetime| lifetime.min(limits.expires)),
    }]
}

/// "To create a link, its creator must meet conditions 4 to 6 for the key or prefix itself, with every method."
fn may_create(rules: &RuleSet, caller: &Caller, link: &Link) -> bool {
    let (Scope::Key(target) | Scope::Prefix(target)) = &link.scope;
    caller.issuer.is_some()
        && !target.starts_with('/')
        && link.methods.iter().all(|method| {
            let action = action_of(method);
            rules.decide(caller, action, target).is_some_and(|(rule, _)| {
                rule.limits.share.contains(&action) && link.expires <= max_share_expires(rule, caller)
            })
        })
}

fn max_share_expires(rule: &RuleData, caller: &Caller) -> u64 {
    let is_temporary = caller.issuer == Some("idp");
    let most = if is_temporary {
        rule.limits.temporary_share_expires
    } else {
        u64::MAX
    };
    rule.limits.share_expires.min(most)
}

fn action_of(method: &str) -> &'static str {
    match method {
        "PUT" => "write",
        "DELETE" => "delete",
        _ => "read",
    }
}

/// The six conditions of "Share links".
fn expect_use(
    created: &RuleSet,
    rules: &RuleSet,
    creator: &Caller,
    link: &Link,
    request: &Request,
    counts: &mut Counts,
) -> Expected {
    let is_bound = creator.issuer != Some("idp") || created.issuer == rules.issuer;
    let mut reject = |status| {
        *counts.entry("link: rejected").or_default() += 1;
        vec![Observed::Rejected(status)]
    };
    if link.age >= link.expires || !is_bound {
        return reject(401);
    }
    let in_scope = match &link.scope {
        Scope::Key(key) => *key == request.key,
        Scope::Prefix(prefix) => request.key.starts_with(prefix),
    };
    if !in_scope || !link.methods.contains(&request.kind.link_method()) {
        return reject(403);
    }
    let caller = created.stored(creator, rules);
    let action = request.kind.action();
    let Some((rule, location)) = rules.decide(&caller, action, &request.key) else {
        return reject(403);
    };
    let most = max_share_expires(rule, creator);
    if !rule.limits.share.contains(&action) || link.age >= most {
        return reject(if rule.limits.share.contains(&action) { 401 } else { 403 });
    }
    *counts.entry("link: allowed").or_default() += 1;
    let lifetime = link.expires.min(most) - link.age;
    expect_constraints(rule, location, request, Some(lifetime), counts)
}
