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
use tokio::sync::{Notify, mpsc};

/// Lines that a subscriber may be behind, or a few more (what is handed over at
/// once): more than comes at once out of the ring or of one turn of a sweep. At 800
/// bytes a line that is 13 MB, shared with the other subscribers that are behind.
const QUEUE: u64 = 16_384;

/// Bytes of lines that are handed over at once, or a line more.
const CHUNK: usize = 1 << 16;

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
    /// Reports.
    Lines(Lines),
    /// So many lines were lost here, because this subscriber was too slow.
    Lost(u64),
}

/// Lines of JSON that came together, shared by those who receive them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lines {
    text: Rc<[u8]>,
    /// How many, at least one.
    pub count: u64,
}

impl Lines {
    /// The first so many of them, each with its end.
    pub fn first(&self, count: u64) -> &[u8] {
        if count >= self.count {
            return &self.text;
        }
        let ends = self.text.iter().enumerate();
        let mut ends = ends
            .filter(|&(_, &byte)| byte == b'\n')
            .map(|(at, _)| at + 1);
        let end = count
            .checked_sub(1)
            .and_then(|last| ends.nth(last as usize));
        &self.text[..end.unwrap_or(0)]
    }
}

/// The hub's end of a subscription.
#[derive(Debug)]
struct Subscriber {
    queue: mpsc::UnboundedSender<(u64, Item)>,
    /// Lines in it.
    waiting: Rc<Cell<u64>>,
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

    /// Hands over the lines of the records after `before` up to `last`, or counts
    /// them as lost; `false` when nobody listens.
    fn offer(&mut self, before: u64, last: u64, lines: &Lines) -> bool {
        let waiting = self.waiting.get();
        if waiting >= QUEUE {
            self.lost.set(self.lost.get() + lines.count);
            return !self.queue.is_closed();
        }
        // The place of a loss is told before what comes after it.
        let lost = self.lost.take();
        if lost > 0 && self.queue.send((before, Item::Lost(lost))).is_err() {
            return false;
        }
        self.waiting.set(waiting + lines.count);
        self.queued = last;
        let lines = Item::Lines(lines.clone());
        self.queue.send((last, lines)).is_ok()
    }
}

/// The listener's end of a subscription.
#[derive(Debug)]
pub struct Subscription {
    queue: mpsc::UnboundedReceiver<(u64, Item)>,
    waiting: Rc<Cell<u64>>,
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
                if let Item::Lines(lines) = &item {
                    self.waiting.set(self.waiting.get() - lines.count);
                }
                Some(item)
            }
            // What was lost at the very end.
            None => match self.lost.take() {
                0 => None,
                lost => Some(Item::Lost(lost)),
            },
        }
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
    /// Of those, handed over, or nobody listened.
    handed: u64,
    /// What has yet to be handed over: lines, and how many.
    pending: (Vec<u8>, u64),
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
        match self.listening().map(|one| one.waiting.get()).max() {
            None => KEPT - self.recent.len(),
            Some(waiting) => (QUEUE / 2).saturating_sub(waiting) as usize,
        }
    }

    /// From now on everything is read: this process ends.
    pub const fn hurry(&mut self) {
        self.gate = None;
    }

    /// A record came, about `at` this time: remembers it, and makes it a line for the
    /// subscribers, if there are any. `line` adds that, or says that there is none.
    pub fn publish(
        &mut self,
        at: Instant,
        record: Record,
        line: impl FnOnce(&Record, &mut Vec<u8>) -> bool,
    ) {
        if self.recent.len() == KEPT {
            self.recent.pop_front();
        }
        self.recent.push_back((at, record));
        self.published += 1;
        if self.subscribers.is_empty() {
            return;
        }
        let (text, count) = &mut self.pending;
        if line(&record, text) {
            *count += 1;
            if text.len() >= CHUNK {
                self.hand_over();
            }
        }
    }

    /// Sends what was published to all subscribers: after each turn, so that many
    /// records make one write.
    pub fn hand_over(&mut self) {
        let (text, count) = &mut self.pending;
        let (before, last) = (self.handed, self.published);
        if *count > 0 {
            let lines = Lines {
                text: Rc::from(&text[..]),
                count: std::mem::take(count),
            };
            text.clear();
            self.subscribers
                .retain_mut(|subscriber| subscriber.offer(before, last, &lines));
        }
        self.handed = last;
    }

    /// A new subscriber: receives what happens from now on. With `recent` it
    /// asks for what is remembered, too, which then has yet to arrive.
    pub fn subscribe(&mut self, recent: bool) -> Subscription {
        self.hand_over();
        let (sender, queue) = mpsc::unbounded_channel();
        let waiting = Rc::<Cell<u64>>::default();
        let lost = Rc::<Cell<u64>>::default();
        let missing = if recent { self.recent.len() as u64 } else { 0 };
        let arrived = Rc::new(Cell::new(self.published - missing));
        self.subscribers.push(Subscriber {
            queue: sender,
            waiting: Rc::clone(&waiting),
            lost: Rc::clone(&lost),
            queued: self.published,
            arrived: Rc::clone(&arrived),
        });
        Subscription {
            queue,
            waiting,
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
    /// as lost. What has yet to be handed over has not arrived.
    pub fn delivered(&self) -> u64 {
        debug_assert_eq!(self.pending.1, 0, "lines that were not handed over");
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
    pub fn backlog(&self) -> u64 {
        let waiting = self.listening().map(|one| one.waiting.get());
        waiting.filter(|&waiting| waiting > QUEUE / 2).sum()
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
        self.hand_over();
        self.subscribers.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records that came together.
    fn publish(hub: &mut Hub, slots: impl IntoIterator<Item = u32>) {
        for slot in slots {
            let record = Record {
                slot,
                ..Record::default()
            };
            hub.publish(Instant::now(), record, |record, to| {
                to.extend_from_slice(format!("{}\n", record.slot).as_bytes());
                true
            });
        }
        hub.hand_over();
    }

    /// The next item, as text; `None` at the end.
    fn next(one: &mut Subscription) -> Option<String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        Some(match runtime.block_on(one.next())? {
            Item::Lines(lines) => String::from_utf8(lines.text.to_vec()).unwrap(),
            Item::Lost(count) => format!("lost {count}"),
        })
    }

    #[test]
    fn a_slow_subscriber_is_told_how_many_it_lost() {
        let mut hub = Hub::default();
        let mut slow = hub.subscribe(false);
        for slot in 0..QUEUE as u32 + 5 {
            publish(&mut hub, [slot]);
        }
        assert_eq!(hub.backlog(), QUEUE);
        for slot in ["0", "1"] {
            assert_eq!(next(&mut slow), Some(format!("{slot}\n")));
        }
        for slot in [1, 2, 3] {
            publish(&mut hub, [slot]);
        }
        publish(&mut hub, [4, 5, 6]);
        hub.close();
        let mut all = Vec::new();
        while let Some(item) = next(&mut slow) {
            all.push(item);
        }
        let [.., last, lost, one, two, end] = &all[..] else {
            panic!("{} items", all.len());
        };
        assert_eq!(
            [last, lost, one, two, end],
            ["16383\n", "lost 5", "1\n", "2\n", "lost 4"]
        );
        // All that were queued, the two beyond, and the two losses.
        assert_eq!(all.len() as u64, QUEUE - 2 + 2 + 2);
    }

    #[test]
    fn what_comes_together_arrives_together_and_can_be_cut() {
        let mut hub = Hub::default();
        let mut one = hub.subscribe(false);
        publish(&mut hub, [7, 8, 9]);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let Some(Item::Lines(lines)) = runtime.block_on(one.next()) else {
            panic!("no lines");
        };
        assert_eq!(lines.count, 3);
        let parts: [&[u8]; 5] = [b"", b"7\n", b"7\n8\n", b"7\n8\n9\n", b"7\n8\n9\n"];
        for (count, part) in (0..).zip(parts) {
            assert_eq!(lines.first(count), part);
        }
        // More than fits into one chunk comes in several, none of them twice.
        publish(&mut hub, 0..20_000);
        hub.close();
        let mut all = String::new();
        let mut chunks = 0;
        while let Some(lines) = next(&mut one) {
            assert!(lines.len() < CHUNK + 8);
            all += &lines;
            chunks += 1;
        }
        let expected: String = (0..20_000).map(|slot| format!("{slot}\n")).collect();
        assert!(chunks > 1 && all == expected, "{chunks}");
    }

    #[test]
    fn what_is_on_its_way_has_not_arrived() {
        let mut hub = Hub::default();
        publish(&mut hub, [1]);
        assert_eq!((hub.published(), hub.delivered()), (1, 1));
        let mut quick = hub.subscribe(true);
        assert_eq!(hub.delivered(), 0);
        quick.arrived();
        let mut slow = hub.subscribe(false);
        assert_eq!(hub.delivered(), 1);
        publish(&mut hub, [2]);
        publish(&mut hub, [3, 4]);
        assert_eq!(hub.delivered(), 1);
        for one in [&mut quick, &mut slow] {
            next(one).unwrap();
        }
        // Taken is not written.
        assert_eq!(hub.delivered(), 1);
        slow.arrived();
        next(&mut quick).unwrap();
        quick.arrived();
        assert_eq!(hub.delivered(), 2);
        drop(slow);
        assert_eq!((hub.delivered(), hub.is_behind()), (4, false));
    }

    #[test]
    fn what_nobody_hears_is_held_where_it_can_be() {
        let mut hub = Hub::new(true, false);
        publish(&mut hub, [1]);
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
            publish(&mut hub, [slot]);
        }
        assert_eq!((hub.room(), hub.delivered()), (0, 0));
        let back = hub.subscribe(true);
        assert_eq!(hub.room() as u64, QUEUE / 2);
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
        publish(&mut hub, 0..KEPT as u32 + 2);
        assert!(hub.subscribers.is_empty());
        let slots: Vec<_> = hub.recent(2).map(|record| record.slot).collect();
        assert_eq!(slots, [KEPT as u32, KEPT as u32 + 1]);
        assert_eq!(hub.recent(usize::MAX).count(), KEPT);
    }
}
