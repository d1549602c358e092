//! Slips in nets and their items; what stands around them is still read and checked.

castnet::network! {
    struct Foo { x: f32 }

    pub nett Typo {}

    pub net {}

    pub net Items {
        conv1 = Conv2d(20, 5);
        fc1: Linear;
        fc2: Linear(10)
        fc3: Linear(10),
        fc4: Linear(10, in_features: 8);
        fc5: Linear(10,, 8);
        fc6: nn::Linear(10);
        fc7: ;
        pub fc8: Linear(10);
        let fc9 = Linear(10);
        const D = 4;
        const E: u32 = 4;
        const F: usize;
        const 5: usize = 5;
        for: Linear(10);
        type: Linear(10);
        Linear(10);

        func f(x: f32[N]) -> f32[N] { x }
        pub train loss(x: f32[N]) -> f32 { x.sum() }
        pub fn (x: f32[N]) -> f32[N] { x }
        pub fn no_result(x: f32[N]) { x }
        pub fn no_body(x: f32[N]) -> f32[N];
        pub fn no_arguments -> f32[N] { 1.0 }
        pub fn generic<T>(x: f32[T]) -> f32[T] { x }
        pub fn with_self(&self, x: f32[N]) -> f32[N] { x }
        pub fn no_type(x) -> f32 { x.sum() }
        pub fn mutable(mut x: f32[N]) -> f32[N] { x }
        pub fn array(x: [f32; 4]) -> f32 { x }
        pub fn reference(x: &f32[N]) -> f32[N] { x }
        pub fn sizes(x: f32[N,, 4], y: f32[N 4], z: f32(N), w: f32[]) -> f32[N] { x }
        pub fn fine(x: f32[N]) -> f32[N] { x.thanh() }
        /// Nothing follows.
    }
}

fn main() {}
