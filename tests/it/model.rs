//! Model test: random walks of clients, an operator, an origin and the clock; every answer is judged by what the origin ever said.
//!
//! 1. Each body was sent whole by the origin, for that target and variant; a part is a part of it.
//! 2. What is `no-store`, `private`, or was given to credentials without leave is never served to another request.
//! 3. A hit is fresh, and what is stale is inside a window, or what the client takes; `no-cache` and `must-revalidate` hold.
//! 4. After a purge or a successful POST nothing from before comes out of the store, also what was in flight then.
//! 5. A 304 is true: the client has the very body that it stands for.
//! 6. HEAD is GET without the body.
//! 7. `Age`, `X-Cache`, `X-Cache-Age` and `Cache-Status` tell the same story.
//! 8. One request costs the origin no more than a few, a hit none.
//! 9. What was stored is used: a fresh response answers, and a stale one covers failures as long as it may.
//!
//! The walks are the same each time. Ten times as many, by another seed:
//! `TINTYPE_MODEL_WALKS=2000 TINTYPE_MODEL_SEED=7 cargo test --test it model`. A walk that fails is shrunk and printed.

use std::cell::RefCell;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

mod client;
mod fields;
mod memory;
mod oracle;
mod origin;
mod parts;
mod said;
mod step;
mod walk;

const WALKS: u32 = 200;

fn setting(name: &str) -> Option<u32> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name}={value}")))
}

#[test]
fn random_walks_keep_the_rules() {
    let walks = setting("TINTYPE_MODEL_WALKS").unwrap_or(WALKS);
    let seed = [setting("TINTYPE_MODEL_SEED").unwrap_or(1).to_le_bytes(); 8].concat();
    let config = Config {
        cases: walks,
        failure_persistence: None,
        max_shrink_iters: 2000,
        max_shrink_time: 60_000,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let seen = RefCell::new(walk::Coverage::new());
    let outcome = runner.run(&step::walk(1..=60), |walk| {
        let taken = runtime.block_on(walk::take(&walk, &mut seen.borrow_mut()));
        taken.map_err(TestCaseError::fail)
    });
    let seen = seen.into_inner();
    println!("{seen:#?}");
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    // The walks must lead where there is something to find.
    let everywhere = [
        "HIT",
        "MISS",
        "REVALIDATED",
        "BYPASS",
        "ERROR",
        "STALE max-stale",
        "STALE stale-while-revalidate",
        "STALE stale-if-error",
        "STALE forwarded stale-if-error",
        "STALE forwarded reset",
        "304 HIT",
        "304 MISS",
        "304 REVALIDATED",
        "206",
        "416",
        "HEAD HIT",
        "collapsed MISS",
        "collapsed REVALIDATED",
        "broken off",
        "Purge in flight",
        "PurgeAll in flight",
        "Post in flight",
    ];
    let missed: Vec<_> = everywhere.iter().filter(|place| !seen.contains_key(**place)).collect();
    assert!(walks < WALKS || missed.is_empty(), "never seen: {missed:?} in {seen:#?}");
}
