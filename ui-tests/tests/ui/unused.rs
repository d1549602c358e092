//! What is declared and never used.

castnet::network! {
    pub net NeverUsed {
        fc1: Linear(10);
        fc2: Linear(10);
        drop: Dropout(0.1);

        pub fn scores(x: f32[N, 8]) -> f32[N, 10] {
            fc1(x)
        }
    }

    pub net OnlyByNobody {
        fc1: Linear(10);
        fc2: Linear(10);

        fn helper(x: f32[N, 8]) -> f32[N, 10] {
            fc2(x)
        }

        pub fn scores(x: f32[N, 8]) -> f32[N, 10] {
            fc1(x)
        }
    }

    pub net NotReached {
        fc1: Linear(10);
        fc2: Linear(10);
        fc3: Linear(10, bias = false);

        pub fn scores(x: f32[N, 8]) -> f32[N, 10] {
            fc1(x) + fc2(x)
        }

        pub train fn loss(x: f32[N, 8], class: u8[N]) -> f32 {
            let unused = fc3(x);
            fc1(x).cross_entropy(class)
        }
    }

    pub net Empty {}
}

fn main() {}
