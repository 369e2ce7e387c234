//! What is expected of an observer's answers.

use serde_json::Value;
use termination_lab::{Pair, Tuple, kernel};

use crate::observer::Observer;

impl Observer {
    /// Waits for the ending of a connection.
    #[track_caller]
    pub(crate) fn ending(&self, tuple: Tuple) -> Value {
        self.endings(tuple, 1).remove(0)
    }

    /// Ours and the kernel's count of TIME_WAIT agree at both ends, nothing
    /// lives, nothing was lost.
    #[track_caller]
    pub(crate) fn agrees_with_kernel(&self, pair: &Pair) {
        let namespaces = [&pair.client.namespace, &pair.server.namespace];
        kernel::until_quiet(&namespaces).unwrap();
        let kernel = namespaces.map(|namespace| kernel::time_wait(namespace).unwrap() as u64);
        let stats = self.stats();
        let held = |holder: &str| stats["time_wait"][holder].as_u64().unwrap();
        let ours = ["originator", "responder"].map(|end| held(end) + held("both"));
        assert_eq!(ours, kernel, "ours and the kernel's TIME_WAITs: {stats:#}");
        assert_eq!(stats["difference"], 0, "{stats:#}");
        for (what, count) in ["live", "losses"]
            .iter()
            .flat_map(|what| stats[what].as_object().unwrap())
        {
            assert_eq!(*count, 0, "{what}: {stats:#}");
        }
    }
}

/// What an ending should be: ending, by, cause, holder of TIME_WAIT.
pub(crate) type Expected = (
    &'static str,
    &'static str,
    Option<&'static str>,
    Option<&'static str>,
);

/// Compares an ending with what it should be, of a connection that was seen whole.
#[track_caller]
pub(crate) fn check(what: &str, ending: &Value, expected: Expected) {
    seen(what, ending, expected, false);
}

/// The same of one that passed hooks that were away for a while.
#[track_caller]
pub(crate) fn check_gaps(what: &str, ending: &Value, expected: Expected) {
    seen(what, ending, expected, true);
}

#[track_caller]
fn seen(what: &str, ending: &Value, expected: Expected, gaps: bool) {
    let found = (
        ending["ending"].as_str().unwrap(),
        ending["by"].as_str().unwrap(),
        ending["cause"].as_str(),
        ending["time_wait"]["holder"].as_str(),
    );
    assert_eq!(found, expected, "{what}: {ending:#}");
    for (flaw, is) in [("midstream", false), ("one_sided", false), ("gaps", gaps)] {
        assert_eq!(ending["seen"][flaw], is, "{what}, {flaw}: {ending:#}");
    }
}
