use castnet::prelude::*;

network! {
    pub net Net {
        bn:     BatchNorm1d();
        norm:   InstanceNorm2d();
        groups: GroupNorm(4);

        pub train fn batch(x: f32[1, 4]) -> f32 {
            bn(x).sum()
        }

        pub fn instances(x: f32[N, 4, 1, 1]) -> f32[N, 4, 1, 1] {
            norm(x)
        }

        pub train fn of_groups(x: f32[N, 4]) -> f32 {
            groups(x).sum()
        }
    }
}

fn main() {}
