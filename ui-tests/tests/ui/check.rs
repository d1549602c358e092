//! `check!` of something that is no net.

castnet::network! {
    pub net Small {
        pub fn f(x: f32[N]) -> f32[N] { x.tanh() }
    }
}

castnet::check!();
castnet::check!(Small, Small);
castnet::check!("Small");
castnet::check!(self::);
castnet::check!(Gpt<4>);
castnet::check!(net Small {});
castnet::check!(Small);

fn main() {}
