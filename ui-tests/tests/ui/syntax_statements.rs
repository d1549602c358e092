//! Slips in statements; the statements around them are still checked.

castnet::network! {
    pub net Statements {
        fc: Linear(8);

        pub fn no_semicolon(x: f32[N, 8]) -> f32[N, 8] {
            let y = fc(x)
            let z = y.thanh();
            z
        }

        pub fn two_in_one(x: f32[N, 8]) -> f32[N, 8] {
            let y = fc(x)
            y.tanh()
        }

        pub fn semicolon_at_the_end(x: f32[N, 8]) -> f32[N, 8] {
            let y = fc(x);
            y.tanh();
        }

        pub fn nothing(x: f32[N, 8]) -> f32[N, 8] {}

        pub fn only_a_let(x: f32[N, 8]) -> f32[N, 8] {
            let y = fc(x);
        }

        pub fn no_effect(x: f32[N, 8]) -> f32[N, 8] {
            fc(x);
            x.tanh()
        }

        pub fn assignment(x: f32[N, 8]) -> f32[N, 8] {
            let y = x;
            y = fc(y);
            y += 1;
            y
        }

        pub fn returned(x: f32[N, 8]) -> f32[N, 8] {
            return fc(x);
        }

        pub fn no_value(x: f32[N, 8]) -> f32[N, 8] {
            let a;
            let b = ;
            let = x;
            let c: = x;
            let d x;
            let if = 5;
            x.thanh()
        }

        pub fn loops(x: f32[N, 8]) -> f32[N, 8] {
            while true { x }
            loop { x }
            x
        }

        pub fn half_an_expression(x: f32[N, 8]) -> f32[N, 8] {
            let y = x + ;
            let z = x. ;
            let w = (x + );
            x.thanh()
        }
    }
}

fn main() {}
