//! Who wants to hear of what happens: a bounded queue each, and the latest
//! records for those who ask afterwards.

use std::{cell::Cell, collections::VecDeque, rc::Rc};

use termination_common::exchange::Record;
use tokio::sync::mpsc::{self, error::TrySendError};

/// Lines that a subscriber may be behind: more than comes at once out of the
/// ring or of one turn of a sweep. At 800 bytes a line that is 13 MB, shared
/// with the other subscribers that are behind.
const QUEUE: usize = 16_384;

/// Records kept for questions about the past.
const KEPT: usize = 4096;

/// What a subscriber receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A report, as a line of JSON without its end.
    Line(Rc<str>),
    /// So many lines were lost here, because this subscriber was too slow.
    Lost(u64),
}

/// The hub's end of a subscription.
#[derive(Debug)]
struct Subscriber {
    queue: mpsc::Sender<Item>,
    /// Lost since the last line that found room.
    lost: Rc<Cell<u64>>,
}

impl Subscriber {
    /// Hands over a line or counts it as lost; `false` when nobody listens.
    fn offer(&self, line: &Rc<str>) -> bool {
        // The place of a loss is told before what comes after it.
        let outcome = match self.lost.get() {
            0 => Ok(()),
            lost => self
                .queue
                .try_send(Item::Lost(lost))
                .inspect(|()| self.lost.set(0)),
        };
        match outcome.and_then(|()| self.queue.try_send(Item::Line(Rc::clone(line)))) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                self.lost.set(self.lost.get() + 1);
                true
            }
            Err(TrySendError::Closed(_)) => false,
        }
    }
}

/// The listener's end of a subscription.
#[derive(Debug)]
pub struct Subscription {
    queue: mpsc::Receiver<Item>,
    lost: Rc<Cell<u64>>,
}

impl Subscription {
    /// The next item; `None` when nothing more will come. Cancel safe.
    pub async fn next(&mut self) -> Option<Item> {
        match self.queue.recv().await {
            Some(item) => Some(item),
            // What was lost at the very end.
            None => match self.lost.take() {
                0 => None,
                lost => Some(Item::Lost(lost)),
            },
        }
    }

    /// An item that is there already.
    pub fn ready(&mut self) -> Option<Item> {
        self.queue.try_recv().ok()
    }
}

/// The subscribers and the recent past.
#[derive(Debug, Default)]
pub struct Hub {
    subscribers: Vec<Subscriber>,
    recent: VecDeque<Record>,
}

impl Hub {
    /// A record came: remembers it, and sends what `line` makes of it to all
    /// subscribers. Without subscribers `line` is not asked.
    pub fn publish(&mut self, record: Record, line: impl FnOnce(&Record) -> Option<String>) {
        if self.recent.len() == KEPT {
            self.recent.pop_front();
        }
        self.recent.push_back(record);
        if self.subscribers.is_empty() {
            return;
        }
        if let Some(line) = line(&record) {
            let line: Rc<str> = line.into();
            self.subscribers
                .retain(|subscriber| subscriber.offer(&line));
        }
    }

    /// A new subscriber: receives what happens from now on.
    pub fn subscribe(&mut self) -> Subscription {
        let (sender, queue) = mpsc::channel(QUEUE);
        let lost = Rc::<Cell<u64>>::default();
        self.subscribers.push(Subscriber {
            queue: sender,
            lost: Rc::clone(&lost),
        });
        Subscription { queue, lost }
    }

    /// Lines that wait for those who are behind by more than half of their
    /// queue; 0 when nobody is.
    pub fn backlog(&self) -> usize {
        let listening = self.subscribers.iter().filter(|one| !one.queue.is_closed());
        let queued = listening.map(|one| QUEUE - one.queue.capacity());
        queued.filter(|&queued| queued > QUEUE / 2).sum()
    }

    /// The latest records, oldest first; at most `count`.
    pub fn recent(&self, count: usize) -> impl Iterator<Item = &Record> {
        self.recent
            .iter()
            .skip(self.recent.len().saturating_sub(count))
    }

    /// Nothing more will come: subscribers read what is queued, then the end.
    pub fn close(&mut self) {
        self.subscribers.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(record: &Record) -> Option<String> {
        Some(record.slot.to_string())
    }

    fn record(slot: u32) -> Record {
        Record {
            slot,
            ..Record::default()
        }
    }

    #[test]
    fn a_slow_subscriber_is_told_how_many_it_lost() {
        let mut hub = Hub::default();
        let mut slow = hub.subscribe();
        for slot in 0..QUEUE as u32 + 5 {
            hub.publish(record(slot), text);
        }
        assert_eq!(hub.backlog(), QUEUE);
        for _ in 0..2 {
            slow.ready().unwrap();
        }
        for slot in [1, 2, 3] {
            hub.publish(record(slot), text);
        }
        hub.close();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let mut all = Vec::new();
        while let Some(item) = runtime.block_on(slow.next()) {
            all.push(item);
        }
        let [.., lost, line, end] = &all[..] else {
            panic!("{} items", all.len());
        };
        assert_eq!(
            (lost, line, end),
            (&Item::Lost(5), &Item::Line("1".into()), &Item::Lost(2))
        );
        assert_eq!(all.len(), QUEUE + 1);
    }

    #[test]
    fn the_latest_are_kept_and_the_gone_forgotten() {
        let mut hub = Hub::default();
        drop(hub.subscribe());
        for slot in 0..KEPT as u32 + 2 {
            hub.publish(record(slot), text);
        }
        assert!(hub.subscribers.is_empty());
        let slots: Vec<_> = hub.recent(2).map(|record| record.slot).collect();
        assert_eq!(slots, [KEPT as u32, KEPT as u32 + 1]);
        assert_eq!(hub.recent(usize::MAX).count(), KEPT);
    }
}
