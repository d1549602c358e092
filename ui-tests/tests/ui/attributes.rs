//! Attributes, and budgets of memory.

castnet::network! {
    block Inner(x: f32[N, D]) -> f32[N, D] {
        fc: Linear(D);
        fc(x)
    }

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
        #[lr_mult(weight = 0.1, bais = 2)]
        l: Linear(D);
        #[wd_mult(scale = 0)]
        m: [Linear(D), ReLU()];
        #[wd_mult(bias = -1)]
        n: Linear(D);
        #[wd_mult(bias = 0)]
        o: Inner;
        #[wd_mult(p = 0)]
        param p: f32[8] = ones;
        #[lr_mult(bias)]
        q: Linear(D);
        #[lr_mult(bias = 1, bias = 2)]
        r: Linear(D);
        #[wd_mult(bias = 0)]
        s: Linear(D, bias = false);
        #[wd_mult(bias = 0)]
        t: ReLU();

        #[freeze]
        pub fn all(x: f32[N, 8]) -> f32[N, 8] {
            #[freeze]
            let y = a(x) + b(x) + c(x) + d(x) + e(x) + f(x) + g(x) + h(x) + i(x) + k;
            let z = l(x) + m(x) + n(x) + o(x) + p + q(x) + r(x) + s(x) + t(x);
            y + z
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
