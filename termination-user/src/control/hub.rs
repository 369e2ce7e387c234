//! Who wants to hear of what happens: a bounded queue each, and the latest
//! records for those who ask afterwards. Keeps account of what has arrived
//! where it was sent: until then the ring keeps it, too.

use std::{
    cell::Cell,
    collections::VecDeque,
    rc::Rc,
    time::{Duration, Instant},
};

use termination_common::exchange::Record;
use tokio::sync::{
    Notify,
    mpsc::{self, error::TrySendError},
};

/// Lines that a subscriber may be behind: more than comes at once out of the
/// ring or of one turn of a sweep. At 800 bytes a line that is 13 MB, shared
/// with the other subscribers that are behind.
const QUEUE: usize = 16_384;

/// Records kept for questions about the past.
const KEPT: usize = 4096;

/// Where records outlive the controller and nobody listens, so long they do not
/// count as delivered: who lost its connection with the last controller is on
/// its way back. And so long after a takeover no more is read than those who
/// come back can take: the ring keeps the rest.
const HOLD: Duration = Duration::from_secs(10);

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
    queue: mpsc::Sender<(u64, Item)>,
    /// Lost since the last line that found room.
    lost: Rc<Cell<u64>>,
    /// Number of the last record that was put into the queue.
    queued: u64,
    /// Number of the last record that has arrived.
    arrived: Rc<Cell<u64>>,
}

impl Subscriber {
    fn is_behind(&self) -> bool {
        self.arrived.get() < self.queued
    }

    /// Hands over a line or counts it as lost; `false` when nobody listens.
    fn offer(&mut self, number: u64, line: &Rc<str>) -> bool {
        // The place of a loss is told before what comes after it.
        let outcome = match self.lost.get() {
            0 => Ok(()),
            lost => self
                .queue
                .try_send((number - 1, Item::Lost(lost)))
                .inspect(|()| self.lost.set(0)),
        };
        let line = (number, Item::Line(Rc::clone(line)));
        match outcome.and_then(|()| self.queue.try_send(line)) {
            Ok(()) => {
                self.queued = number;
                true
            }
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
    queue: mpsc::Receiver<(u64, Item)>,
    lost: Rc<Cell<u64>>,
    /// Number of the last record that was taken out.
    taken: u64,
    arrived: Rc<Cell<u64>>,
    progress: Rc<Notify>,
}

impl Subscription {
    /// The next item; `None` when nothing more will come. Cancel safe.
    pub async fn next(&mut self) -> Option<Item> {
        match self.queue.recv().await {
            Some((number, item)) => {
                self.taken = number;
                Some(item)
            }
            // What was lost at the very end.
            None => match self.lost.take() {
                0 => None,
                lost => Some(Item::Lost(lost)),
            },
        }
    }

    /// An item that is there already.
    pub fn ready(&mut self) -> Option<Item> {
        let (number, item) = self.queue.try_recv().ok()?;
        self.taken = number;
        Some(item)
    }

    /// All that was taken out has arrived: it will survive this process.
    pub fn arrived(&self) {
        self.arrived_up_to(self.taken);
    }

    /// The records up to this number have arrived.
    pub fn arrived_up_to(&self, number: u64) {
        self.arrived.set(number);
        self.progress.notify_one();
    }
}

/// The subscribers and the recent past.
#[derive(Debug, Default)]
pub struct Hub {
    subscribers: Vec<Subscriber>,
    recent: VecDeque<(Instant, Record)>,
    /// Keep what nobody listens to for a while.
    hold: bool,
    /// Until then no more is read than can be taken.
    gate: Option<Instant>,
    /// Records so far.
    published: u64,
    progress: Rc<Notify>,
}

impl Hub {
    /// `hold`: records outlive this process. `resumed`: some were left by
    /// another.
    pub fn new(hold: bool, resumed: bool) -> Self {
        Self {
            hold,
            gate: resumed.then(|| Instant::now() + HOLD),
            ..Self::default()
        }
    }

    /// So many records may be published now.
    pub fn room(&self) -> usize {
        if self.gate.is_none_or(|until| Instant::now() >= until) {
            return usize::MAX;
        }
        let queued = self.listening().map(|one| QUEUE - one.queue.capacity());
        match queued.max() {
            None => KEPT - self.recent.len(),
            Some(queued) => (QUEUE / 2).saturating_sub(queued),
        }
    }

    /// From now on everything is read: this process ends.
    pub const fn hurry(&mut self) {
        self.gate = None;
    }

    /// A record came: remembers it, and sends what `line` makes of it to all
    /// subscribers. Without subscribers `line` is not asked.
    pub fn publish(&mut self, record: Record, line: impl FnOnce(&Record) -> Option<String>) {
        if self.recent.len() == KEPT {
            self.recent.pop_front();
        }
        self.recent.push_back((Instant::now(), record));
        self.published += 1;
        if self.subscribers.is_empty() {
            return;
        }
        if let Some(line) = line(&record) {
            let line: Rc<str> = line.into();
            let number = self.published;
            self.subscribers
                .retain_mut(|subscriber| subscriber.offer(number, &line));
        }
    }

    /// A new subscriber: receives what happens from now on. With `recent` it
    /// asks for what is remembered, too, which then has yet to arrive.
    pub fn subscribe(&mut self, recent: bool) -> Subscription {
        let (sender, queue) = mpsc::channel(QUEUE);
        let lost = Rc::<Cell<u64>>::default();
        let missing = if recent { self.recent.len() as u64 } else { 0 };
        let arrived = Rc::new(Cell::new(self.published - missing));
        self.subscribers.push(Subscriber {
            queue: sender,
            lost: Rc::clone(&lost),
            queued: self.published,
            arrived: Rc::clone(&arrived),
        });
        Subscription {
            queue,
            lost,
            taken: self.published,
            arrived,
            progress: Rc::clone(&self.progress),
        }
    }

    /// Records that were published so far.
    pub const fn published(&self) -> u64 {
        self.published
    }

    /// So many of them, the first, have arrived at all who listen, or were told
    /// as lost.
    pub fn delivered(&self) -> u64 {
        let mut arrived = self.listening().map(|one| {
            if one.is_behind() {
                one.arrived.get()
            } else {
                self.published
            }
        });
        match arrived.next() {
            Some(first) => arrived.fold(first, u64::min),
            None if self.hold => {
                let now = Instant::now();
                let old = |&(at, _): &(Instant, Record)| now.duration_since(at) >= HOLD;
                let young = self.recent.len() - self.recent.partition_point(old);
                self.published - young as u64
            }
            None => self.published,
        }
    }

    /// Something is still on its way to somebody.
    pub fn is_behind(&self) -> bool {
        self.listening().any(Subscriber::is_behind)
    }

    fn listening(&self) -> impl Iterator<Item = &Subscriber> {
        self.subscribers.iter().filter(|one| !one.queue.is_closed())
    }

    /// Told when something has arrived.
    pub fn progress(&self) -> Rc<Notify> {
        Rc::clone(&self.progress)
    }

    /// Lines that wait for those who are behind by more than half of their
    /// queue; 0 when nobody is.
    pub fn backlog(&self) -> usize {
        let queued = self.listening().map(|one| QUEUE - one.queue.capacity());
        queued.filter(|&queued| queued > QUEUE / 2).sum()
    }

    /// The latest records, oldest first; at most `count`.
    pub fn recent(&self, count: usize) -> impl Iterator<Item = &Record> {
        self.recent
            .iter()
            .skip(self.recent.len().saturating_sub(count))
            .map(|(_, record)| record)
    }

    /// The remembered records with their numbers, oldest first.
    pub fn numbered(&self) -> impl Iterator<Item = (u64, &Record)> {
        let first = self.published + 1 - self.recent.len() as u64;
        (first..).zip(self.recent.iter().map(|(_, record)| record))
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
        let mut slow = hub.subscribe(false);
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
    fn what_is_on_its_way_has_not_arrived() {
        let mut hub = Hub::default();
        hub.publish(record(1), text);
        assert_eq!((hub.published(), hub.delivered()), (1, 1));
        let mut quick = hub.subscribe(true);
        assert_eq!(hub.delivered(), 0);
        quick.arrived();
        let mut slow = hub.subscribe(false);
        assert_eq!(hub.delivered(), 1);
        hub.publish(record(2), text);
        hub.publish(record(3), text);
        assert_eq!(hub.delivered(), 1);
        for one in [&mut quick, &mut slow] {
            one.ready().unwrap();
        }
        // Taken is not written.
        assert_eq!(hub.delivered(), 1);
        slow.arrived();
        quick.ready().unwrap();
        quick.arrived();
        assert_eq!(hub.delivered(), 2);
        drop(slow);
        assert_eq!((hub.delivered(), hub.is_behind()), (3, false));
    }

    #[test]
    fn what_nobody_hears_is_held_where_it_can_be() {
        let mut hub = Hub::new(true, false);
        hub.publish(record(1), text);
        assert_eq!(hub.delivered(), 0);
        let late = hub.subscribe(true);
        late.arrived();
        assert_eq!(hub.delivered(), 1);
    }

    #[test]
    fn after_a_takeover_no_more_is_read_than_can_be_taken() {
        let mut hub = Hub::new(true, true);
        for slot in 0..KEPT as u32 {
            assert_ne!(hub.room(), 0);
            hub.publish(record(slot), text);
        }
        assert_eq!((hub.room(), hub.delivered()), (0, 0));
        let back = hub.subscribe(true);
        assert_eq!(hub.room(), QUEUE / 2);
        let numbers: Vec<_> = hub.numbered().map(|(number, _)| number).collect();
        assert_eq!((numbers[0], numbers[KEPT - 1]), (1, KEPT as u64));
        back.arrived_up_to(numbers[9]);
        assert_eq!(hub.delivered(), 10);
        hub.hurry();
        assert_eq!(hub.room(), usize::MAX);
    }

    #[test]
    fn the_latest_are_kept_and_the_gone_forgotten() {
        let mut hub = Hub::default();
        drop(hub.subscribe(false));
        for slot in 0..KEPT as u32 + 2 {
            hub.publish(record(slot), text);
        }
        assert!(hub.subscribers.is_empty());
        let slots: Vec<_> = hub.recent(2).map(|record| record.slot).collect();
        assert_eq!(slots, [KEPT as u32, KEPT as u32 + 1]);
        assert_eq!(hub.recent(usize::MAX).count(), KEPT);
    }
}
