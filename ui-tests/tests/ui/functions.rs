//! The net's own functions: recursion, arguments, results, declared types.

castnet::network! {
    pub net Functions {
        fc1: Linear(12);
        fc2: Linear(10);

        pub fn promise(x: f32[N, 8]) -> f32[N, 10] {
            fc1(x).tanh()
        }

        pub fn rank(x: f32[N, 8]) -> f32[N] {
            x
        }

        pub fn declared(x: f32[N, 8]) -> f32[N, 8] {
            let y: f32[N, 7] = x.tanh();
            let z: f32 = x;
            let c: bool[N, 8] = x > 0.0;
            let w: f32[N, _] = c;
            x
        }

        fn itself(x: f32[N]) -> f32[N] {
            itself(x) + 1.0
        }

        fn ping(x: f32[N]) -> f32[N] {
            x.pong()
        }

        fn pong(x: f32[N]) -> f32[N] {
            ping(x)
        }

        fn pair(a: f32[N, 8], b: f32[N, D]) -> f32[N, D] {
            fc2(a).sum(1, keepdim = true) * b
        }

        pub fn arguments(x: f32[N, 8], y: f32[M, 4], i: i64[N, 8]) -> f32[N, 8] {
            let a = pair(x, y);
            let b = pair(x.sum(1), x);
            let c = pair(i, x);
            let d = pair(x.reshape([8, N]), x);
            let e = pair(None, x);
            x.pair(x)
        }

        fn depends(a: f32[N, A], b: f32[N, B]) -> f32[N, A] {
            let a = a.tanh();
            a + b
        }

        pub fn right(x: f32[N, 8]) -> f32[N, 8] {
            depends(x, x)
        }

        pub fn wrong(x: f32[N, 8], y: f32[N, 5]) -> f32[N, 8] {
            depends(x, y)
        }

        fn always_wrong(a: f32[N, A], b: f32[N, 4]) -> f32[N, A] {
            let c = b + b.reshape([N, 5]);
            a
        }

        pub fn says_nothing_more(x: f32[N, 4]) -> f32[N, 4] {
            always_wrong(x, x).tanh() + promise(x)
        }

        pub fn mean(x: f32[N, 4]) -> f32 { x.mean() }

        pub fn nothing(x: f32[N, 4]) -> f32[N, 4] {
            None
        }

        pub fn several(x: f32[N, 4]) -> f32[N, 4] {
            (x, x)
        }
    }
}

fn main() {}
