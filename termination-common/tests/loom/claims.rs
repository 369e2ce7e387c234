//! Several CPUs meet a new connection.

use loom::{sync::Arc, thread};
use termination_common::{
    counters::{self, Loss},
    segment::Segment,
    state::fact,
};

use super::{
    model::{Model, explore, explore_within},
    script::{Talk, twin},
};

/// Observes each of `segments` on a CPU of its own.
fn at_once<const N: usize>(model: Model, segments: [Segment; N]) -> Arc<Model> {
    let model = Arc::new(model);
    let [mine, others @ ..] = &segments[..] else {
        unreachable!("at least one")
    };
    let others: Vec<_> = others
        .iter()
        .map(|&segment| {
            let model = model.clone();
            thread::spawn(move || model.observe(segment))
        })
        .collect();
    model.observe(*mine);
    others.into_iter().for_each(|other| other.join().unwrap());
    model.check();
    model
}

#[test]
fn a_syn_and_its_answer_claim_one_slot() {
    explore("SYN and SYN-ACK", || {
        let talk = Talk::new(40000);
        let model = at_once(Model::new(1, 2), [talk.syn(), talk.syn_ack()]);
        assert!(!model.gave_up());
        assert_eq!(model.slots().len(), 1);
        assert_eq!(model.counted(counters::OPENED), 1);
        let half = model.slots()[0].hot.half;
        assert_eq!((half[0].segments, half[1].segments), (1, 1));
    });
}

#[test]
fn one_syn_on_two_cpus_claims_one_slot() {
    explore("one SYN twice, two lines", || {
        let talk = Talk::new(40000);
        let model = at_once(Model::new(2, 1), [talk.syn(), talk.syn()]);
        assert!(!model.gave_up());
        assert_eq!(model.slots().len(), 1);
        assert_eq!(model.counted(counters::OPENED), 1);
    });
}

#[test]
fn a_syn_its_repetition_and_its_answer_claim_one_slot() {
    explore_within(1, "SYN twice and SYN-ACK", || {
        let talk = Talk::new(40000);
        let segments = [talk.syn(), talk.syn(), talk.syn_ack()];
        let model = at_once(Model::new(1, 2), segments);
        assert_eq!(model.slots().len(), 1);
        assert_eq!(model.counted(counters::OPENED), 1);
    });
}

#[test]
fn a_handshake_on_three_cpus_is_one_connection() {
    explore_within(1, "SYN, SYN-ACK and ACK", || {
        let talk = Talk::new(40000);
        let model = at_once(Model::new(1, 2), talk.handshake());
        assert_eq!(model.slots().len(), 1);
        let opened = model.counted(counters::OPENED) + model.counted(counters::MIDSTREAM);
        assert_eq!(opened, 1);
    });
}

#[test]
fn of_two_connections_for_the_last_place_one_is_counted_out() {
    explore("the last place", || {
        let (one, other) = (Talk::new(40000), Talk::new(40001));
        let model = at_once(Model::new(1, 1), [one.syn(), other.syn()]);
        assert_eq!(model.slots().len(), 1);
        assert!(!model.gave_up());
        assert_eq!(model.lost(Loss::TableFull), 1);
    });
}

#[test]
fn claims_that_give_up_leave_nothing_behind() {
    explore("claims given up", || {
        let talk = Talk::new(40000);
        let segments = [talk.syn(), talk.syn_ack()];
        let model = at_once(Model::new(1, 2).impatient(), segments);
        assert_eq!(model.counted(counters::OPENED), 1);
    });
}

/// Two tuples of one hash cannot be told apart by the index: the second is not
/// tracked, which is counted, and the first never notices.
#[test]
fn a_hash_shared_by_two_connections_crosses_nothing() {
    explore("one hash, two tuples", || {
        let one = Talk::new(40000);
        let other = Talk::of(twin(&one.tuple));
        let model = at_once(Model::new(1, 2), [one.syn(), other.syn()]);
        assert_eq!(model.slots().len(), 1);
        assert_eq!(model.counted(counters::UNTRACKED), 1);
        let slot = model.slots()[0];
        assert_eq!(slot.hot.half[0].segments, 1);
        assert!(!slot.state().any(fact::GAPS));
    });
}
