//! Classifiers of sequences of unequal lengths.

use castnet::prelude::*;

network! {
    /// Two layers of LSTM; the last state decides.
    pub net LstmClassifier {
        embed: Embedding(20, 12);
        lstm:  LSTM(16, num_layers = 2, batch_first = true);
        head:  Linear(5);

        pub fn scores(tokens: u32[B, T], lengths: i64[B]) -> f32[B, 5] {
            let (_, (h, _)) = lstm(embed(tokens), lengths = lengths);
            head(h[-1])
        }

        pub train fn loss(tokens: u32[B, T], lengths: i64[B], kind: u8[B]) -> f32 {
            scores(tokens, lengths).cross_entropy(kind)
        }
    }

    /// A GRU that reads both ways.
    pub net GruClassifier {
        embed: Embedding(20, 12);
        gru:   GRU(16, batch_first = true, bidirectional = true);
        head:  Linear(5);

        pub fn scores(tokens: u32[B, T], lengths: i64[B]) -> f32[B, 5] {
            let (_, h) = gru(embed(tokens), lengths = lengths);
            head(cat([h[0], h[1]], 1))
        }

        pub train fn loss(tokens: u32[B, T], lengths: i64[B], kind: u8[B]) -> f32 {
            scores(tokens, lengths).cross_entropy(kind)
        }
    }
}
