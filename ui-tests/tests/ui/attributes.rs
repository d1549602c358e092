//! Attributes, and budgets of memory.

castnet::network! {
    #[derive(Debug)]
    net Attributes {
        #[freeze]
        const D: usize = 8;
        #[freeze(all)]
        a: Linear(D);
        #[freeze]
        #[freeze]
        b: Linear(D);
        #[frieze]
        c: Linear(D);
        #[lr_mult]
        d: Linear(D);
        #[lr_mult = fast]
        e: Linear(D);
        #[wd_mult = -1]
        f: Linear(D);
        #[lr_mult = N]
        g: Linear(D);
        #[memory(1 GiB)]
        h: Linear(D);
        #[cfg(test)]
        i: Linear(D);
        #[lr_mult = 2]
        state k: f32[8] = zeros;

        #[freeze]
        pub fn all(x: f32[N, 8]) -> f32[N, 8] {
            #[freeze]
            let y = a(x) + b(x) + c(x) + d(x) + e(x) + f(x) + g(x) + h(x) + i(x) + k;
            y
        }

        #[memory]
        pub fn no_budget(x: f32[N, 8]) -> f32[N, 8] { a(x) }

        #[memory(lots)]
        pub fn no_number(x: f32[N, 8]) -> f32[N, 8] { a(x) }

        #[memory(5 XiB)]
        pub fn no_unit(x: f32[N, 8]) -> f32[N, 8] { a(x) }

        #[memory(5 MiB N = 4)]
        pub fn no_comma(x: f32[N, 8]) -> f32[N, 8] { a(x) }

        #[memory(5 MiB, 4)]
        pub fn no_name(x: f32[N, 8]) -> f32[N, 8] { a(x) }
    }
}

castnet::network! {
    net Budgets {
        fc: Linear(1000);

        #[memory(1 MiB, N = 1)]
        pub fn holds_not(x: f32[N, 1000]) -> f32[N, 1000] { fc(x) }

        #[memory(1 GiB)]
        pub fn no_size(x: f32[N, 1000]) -> f32[N, 1000] { fc(x) }

        #[memory(1 GiB, N = 4, T = 4)]
        pub fn unknown_size(x: f32[N, 1000]) -> f32[N, 1000] { fc(x) }

        #[memory(1 GiB, N = 4, optimizer = Sdg)]
        pub train fn unknown_optimizer(x: f32[N, 1000]) -> f32 { fc(x).mean() }

        #[memory(1 GiB, N = 4, optimizer = Sgd)]
        pub fn no_optimizer(x: f32[N, 1000]) -> f32[N, 1000] { fc(x) }

        #[memory(1 GiB, N = 0)]
        pub fn no_rows(x: f32[N, 1000]) -> f32[N, 1000] { fc(x) }

        #[memory(1 GiB, N = 4)]
        fn private(x: f32[N, 1000]) -> f32[N, 1000] { fc(x) }
    }
}

fn main() {}
