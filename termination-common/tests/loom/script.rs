//! Segments of small connections.

use termination_common::{
    segment::{Flags, Segment},
    tuple::{Endpoint, Family, Tuple},
};

/// Key of the hash.
pub(crate) const SEED: [u64; 2] = [7, 11];

const SYN: u8 = Flags::SYN;
const ACK: u8 = Flags::ACK;
const FIN: u8 = Flags::FIN;

/// Nanoseconds of a moment, in seconds since a start that is not 0.
pub(crate) const fn at(seconds: u64) -> u64 {
    (1000 + seconds) * 1_000_000_000
}

/// A connection between client and server; sequence numbers are relative.
#[derive(Clone, Copy)]
pub(crate) struct Talk {
    pub(crate) tuple: Tuple,
    seconds: u64,
    isn: [u32; 2],
}

/// Client and server are endpoints 0 and 1.
const CLIENT: usize = 0;
const SERVER: usize = 1;

impl Talk {
    /// Of the client's port `port`.
    pub(crate) fn new(port: u16) -> Self {
        let client = Endpoint::v4(0x0a00_0001, port);
        let server = Endpoint::v4(0x0a00_0002, 443);
        let (tuple, _) = Tuple::new(client, server, Family::V4, 0).unwrap();
        Self {
            tuple,
            seconds: 0,
            isn: [1000, 5000],
        }
    }

    /// A tuple of which only hash and difference matter.
    pub(crate) fn of(tuple: Tuple) -> Self {
        Self {
            tuple,
            ..Self::new(1)
        }
    }

    /// The same, with what follows sent at `seconds`.
    pub(crate) fn later(self, seconds: u64) -> Self {
        Self { seconds, ..self }
    }

    /// The same tuple with new initial sequence numbers.
    pub(crate) fn anew(self) -> Self {
        let isn = self.isn.map(|isn| isn + 1_000_000);
        Self { isn, ..self }
    }

    fn segment(&self, from: usize, flags: u8, seq: u32, ack: u32, payload: u32) -> Segment {
        Segment {
            time: at(self.seconds),
            tuple: self.tuple,
            seq: self.isn[from] + seq,
            ack: if flags & ACK == 0 {
                0
            } else {
                self.isn[from ^ 1] + ack
            },
            payload,
            home: 2 + from as u32,
            window: 60_000,
            packets: 1,
            flags: Flags(flags),
            sender: from as u8,
            hops: 64,
            ..Segment::default()
        }
    }

    pub(crate) fn syn(&self) -> Segment {
        self.segment(CLIENT, SYN, 0, 0, 0)
    }

    pub(crate) fn syn_ack(&self) -> Segment {
        self.segment(SERVER, SYN | ACK, 0, 1, 0)
    }

    /// The client's ACK of the SYN-ACK.
    pub(crate) fn ack(&self) -> Segment {
        self.segment(CLIENT, ACK, 1, 1, 0)
    }

    /// The first 100 bytes of the client.
    pub(crate) fn data(&self) -> Segment {
        self.segment(CLIENT, ACK, 1, 1, 100)
    }

    /// The client's payload of round `round`, 100 bytes each.
    pub(crate) fn sends(&self, round: u32) -> Segment {
        self.segment(CLIENT, ACK, 1 + round * 100, 1, 100)
    }

    /// The server's ACK of so many rounds.
    pub(crate) fn acks(&self, rounds: u32) -> Segment {
        self.segment(SERVER, ACK, 1, 1 + rounds * 100, 0)
    }

    /// The server's first payload, after four rounds.
    pub(crate) fn answers(&self) -> Segment {
        self.segment(SERVER, ACK, 1, 401, 50)
    }

    /// The server's RST after four rounds.
    pub(crate) fn resets(&self) -> Segment {
        self.segment(SERVER, Flags::RST | ACK, 1, 401, 0)
    }

    /// The client's FIN; nothing was sent before.
    pub(crate) fn client_fin(&self) -> Segment {
        self.segment(CLIENT, FIN | ACK, 1, 1, 0)
    }

    /// The server's FIN, which does not ack the client's.
    pub(crate) fn server_fin(&self) -> Segment {
        self.segment(SERVER, FIN | ACK, 1, 1, 0)
    }

    /// The server's FIN, which acks the client's.
    pub(crate) fn server_fin_ack(&self) -> Segment {
        self.segment(SERVER, FIN | ACK, 1, 2, 0)
    }

    /// The server's ACK of the client's FIN; its own is to come.
    pub(crate) fn server_ack(&self) -> Segment {
        self.segment(SERVER, ACK, 1, 2, 0)
    }

    /// The client's ACK of the server's FIN.
    pub(crate) fn client_last(&self) -> Segment {
        self.segment(CLIENT, ACK, 2, 2, 0)
    }

    /// The server's ACK of the client's FIN.
    pub(crate) fn server_last(&self) -> Segment {
        self.segment(SERVER, ACK, 2, 2, 0)
    }

    pub(crate) fn client_rst(&self) -> Segment {
        self.segment(CLIENT, Flags::RST | ACK, 1, 1, 0)
    }

    pub(crate) fn server_rst(&self) -> Segment {
        self.segment(SERVER, Flags::RST | ACK, 1, 1, 0)
    }

    pub(crate) fn handshake(&self) -> [Segment; 3] {
        [self.syn(), self.syn_ack(), self.ack()]
    }

    /// Up to the client's TIME_WAIT.
    pub(crate) fn graceful(&self) -> Vec<Segment> {
        let close = [self.client_fin(), self.server_fin_ack(), self.client_last()];
        self.handshake().into_iter().chain(close).collect()
    }

    /// Up to the server's RST.
    pub(crate) fn aborted(&self) -> Vec<Segment> {
        let abort = [self.server_rst()];
        self.handshake().into_iter().chain(abort).collect()
    }
}

/// Another tuple with the same hash: the last round of the hash adds the last
/// word by exclusive or.
pub(crate) fn twin(tuple: &Tuple) -> Tuple {
    /// State of the hash before its last word.
    fn before_last(words: &[u64; 5]) -> u64 {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let keys = [SEED[0], SEED[1], 0, SEED[1].rotate_left(32)];
        let shifts = [29, 32, 29, 32];
        (0..4).fold(0, |h: u64, round| {
            let h = (h ^ words[round] ^ keys[round]).wrapping_mul(ODD);
            h ^ (h >> shifts[round])
        })
    }
    let mut words = tuple.words;
    words[1] ^= 0xff;
    words[4] ^= before_last(&tuple.words) ^ before_last(&words);
    let twin = Tuple { words };
    assert_eq!(twin.hash(SEED), tuple.hash(SEED));
    twin
}
