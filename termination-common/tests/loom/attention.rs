//! The attention filter of the level `closing` follows the slots, whoever works
//! on them at once.

use loom::{sync::Arc, thread};
use termination_common::{attention, exchange::Operation, segment::Segment, table::Memory as _};

use super::{
    model::{Model, explore},
    script::{Talk, at},
};

/// Observes `before`, then `one` on a CPU of its own while `other` goes on.
fn both(before: &[Segment], one: Vec<Segment>, other: impl FnOnce(&Model)) -> Arc<Model> {
    let model = Arc::new(Model::new(1, 1).closing());
    model.observe_all(before.iter().copied());
    let there = {
        let model = model.clone();
        thread::spawn(move || model.observe_all(one))
    };
    other(&model);
    there.join().unwrap();
    model.check();
    model
}

fn is_attended(model: &Model, talk: &Talk) -> bool {
    let key = attention::key(&talk.tuple, model.seed());
    attention::says_yes(model.attention(0), key)
}

#[test]
fn the_handshake_is_complete_while_the_server_closes() {
    explore("ack of syn, fin", || {
        let talk = Talk::new(40000);
        let [syn, syn_ack, ack] = talk.handshake();
        let model = both(&[syn, syn_ack], vec![ack], |model| {
            model.observe(talk.server_fin());
        });
        assert!(is_attended(&model, &talk));
    });
}

#[test]
fn the_timer_marks_while_a_fin_comes() {
    explore("mark, fin", || {
        let talk = Talk::new(40000);
        let fin = talk.later(7876).client_fin();
        let model = both(&talk.handshake(), vec![fin], |model| {
            model.sweep(Operation::Visit, at(7876));
        });
        assert!(is_attended(&model, &talk));
    });
}

#[test]
fn what_was_marked_speaks_while_it_is_expired() {
    explore("data, expiry of what was marked", || {
        let talk = Talk::new(40000);
        let model = Arc::new(Model::new(1, 1).closing());
        model.observe_all(talk.handshake());
        model.sweep(Operation::Visit, at(7876));
        assert!(is_attended(&model, &talk));
        let there = {
            let model = model.clone();
            thread::spawn(move || model.observe(talk.later(2 * 7876).sends(1)))
        };
        model.sweep(Operation::Visit, at(2 * 7876));
        there.join().unwrap();
        model.check();
        // It lives on, or has ended; in either case nobody has to look.
        assert!(!is_attended(&model, &talk));
    });
}
