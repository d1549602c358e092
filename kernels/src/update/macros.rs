//! `update_rule!`.

/// Makes an update rule of a formula: the type of this name, with `RULE`, the [`UpdateRule`](crate::update::UpdateRule).
///
/// ```
/// castnet_kernels::update_rule! {
///     /// Moves along the sign of a running mean.
///     pub rule Signum(parameter, gradient) {
///         states { mean }
///         scalars { lr, keep }
///         update {
///             mean = keep * mean + (T::of(1.0) - keep) * gradient;
///             parameter = parameter - lr * mean.sign();
///         }
///     }
/// }
/// let rule = Signum::RULE.data(castnet_program::scalar::Lane::F32);
/// assert_eq!((rule.name.as_str(), rule.states.len(), rule.scalars.len()), ("Signum", 1, 2));
/// ```
///
/// `update` is ordinary Rust, statement by statement, over numbers of the type `T`, for all that [`Real`](crate::update::Real) has: it assigns the
/// parameter and the states new values. `gradient` is already clipped. Scalars are numbers of one parameter at one step, which are worked out
/// in f64 and rounded. States are 0 at first, and of the parameter's type, or of that behind `as`: `mean as f32`.
///
/// A rule may have variants: `rule Mine<FAST>(…)` has a `const FAST: bool`, by which the statements may branch; a state with `if FAST` behind it
/// is there in that variant only. The rule is then `Mine::<true>::RULE`.
///
/// What takes a number of the whole parameter has three sections more, of which `begin` may be missing: its statements stand before those of `sums`
/// and before those of `update`. In `sums` and `row` numbers are [`wide`](crate::update::Real::wide), f64, and of the type `W` in `row`.
///
/// ```
/// castnet_kernels::update_rule! {
///     /// Steps of one length a parameter.
///     pub rule Normed(parameter, gradient) {
///         states {}
///         scalars { lr, decay }
///         begin { let direction = gradient + decay * parameter; }
///         sums { squares = direction.wide() * direction.wide() }
///         row { inverse = W::select(squares.gt(W::of(0.0)), W::of(1.0) / squares.sqrt(), W::of(0.0)) }
///         update { parameter = parameter - lr * inverse * direction; }
///     }
/// }
/// assert_eq!(Normed::RULE.sums(), 1);
/// ```
///
/// Nothing in it is `unsafe`.
#[macro_export]
macro_rules! update_rule {
    (
        $(#[$attribute:meta])*
        $visibility:vis rule $name:ident $(<$($flag:ident),+ $(,)?>)? ($parameter:ident, $gradient:ident) {
            states { $($state:ident $(as $dtype:ident)? $(if $when:ident)?),* $(,)? }
            scalars { $($scalar:ident),* $(,)? }
            $($(begin { $($begin:stmt;)* })?
            sums { $($sum:ident = $summed:expr),+ $(,)? }
            row { $($made:ident = $making:expr),+ $(,)? })?
            update { $($update:stmt;)+ }
        }
    ) => {
        $(#[$attribute])*
        ///
        /// ```text
        $($($(#[doc = concat!(stringify!($begin), ";")])*)?
        $(#[doc = concat!("sum ", stringify!($sum), " = ", stringify!($summed), ";")])+
        $(#[doc = concat!("let ", stringify!($made), " = ", stringify!($making), ";")])+)?
        $(#[doc = concat!(stringify!($update), ";")])+
        /// ```
        #[derive(Clone, Copy, Debug)]
        $visibility struct $name $(<$(const $flag: bool),+>)?;

        impl $(<$(const $flag: bool),+>)? $name $(<$($flag),+>)? {
            /// The rule.
            $visibility const RULE: &'static $crate::update::UpdateRule = &$crate::update::UpdateRule::of::<
                Self,
                { $crate::__count!($($state)*) },
                { $crate::__count!($($scalar)*) },
                { $crate::__count!($($($sum)+)?) },
                { $crate::__count!($($($made)+)?) },
            >();
        }

        #[allow(unused_mut, unused_assignments, unused_variables, redundant_semicolons, clippy::all)]
        impl $(<$(const $flag: bool),+>)? $crate::update::Formula<
            { $crate::__count!($($state)*) },
            { $crate::__count!($($scalar)*) },
            { $crate::__count!($($($sum)+)?) },
            { $crate::__count!($($($made)+)?) },
        > for $name $(<$($flag),+>)? {
            const NAME: &'static str = stringify!($name);
            const STATES: [Option<(&'static str, Option<$crate::__DType>)>; $crate::__count!($($state)*)] =
                [$($crate::__state!($state ($($dtype)?) ($($when)?))),*];
            const SCALARS: [&'static str; $crate::__count!($($scalar)*)] = [$(stringify!($scalar)),*];

            #[inline(always)]
            fn sums<T: $crate::update::Real>(
                mut $parameter: T,
                $gradient: T,
                [$(mut $state),*]: [T; $crate::__count!($($state)*)],
                [$($scalar),*]: [T; $crate::__count!($($scalar)*)],
            ) -> [T::Wide; $crate::__count!($($($sum)+)?)] {
                $($($($begin;)*)?)?
                [$($($summed),+)?]
            }

            #[inline(always)]
            fn row<W: $crate::update::Real>(
                [$($($sum),+)?]: [W; $crate::__count!($($($sum)+)?)],
                [$($scalar),*]: [W; $crate::__count!($($scalar)*)],
            ) -> [W; $crate::__count!($($($made)+)?)] {
                $($(let $made = $making;)+)?
                [$($($made),+)?]
            }

            #[inline(always)]
            fn update<T: $crate::update::Real>(
                mut $parameter: T,
                $gradient: T,
                [$(mut $state),*]: [T; $crate::__count!($($state)*)],
                [$($scalar),*]: [T; $crate::__count!($($scalar)*)],
                [$($($made),+)?]: [T; $crate::__count!($($($made)+)?)],
            ) -> (T, [T; $crate::__count!($($state)*)]) {
                $($($($begin;)*)?)?
                $($update;)+
                ($parameter, [$($state),*])
            }
        }
    };
}

/// How many there are.
#[doc(hidden)]
#[macro_export]
macro_rules! __count {
    ($($name:ident)*) => { 0usize $(+ { let _ = stringify!($name); 1 })* };
}

/// A state of an update rule, if there is one.
#[doc(hidden)]
#[macro_export]
macro_rules! __state {
    ($state:ident $dtype:tt ($when:ident)) => {
        if $when { $crate::__state!($state $dtype ()) } else { None }
    };
    ($state:ident () ()) => { Some((stringify!($state), None)) };
    ($state:ident (f32) ()) => { Some((stringify!($state), Some($crate::__DType::F32))) };
    ($state:ident (f64) ()) => { Some((stringify!($state), Some($crate::__DType::F64))) };
    ($state:ident (f16) ()) => { Some((stringify!($state), Some($crate::__DType::F16))) };
    ($state:ident (bf16) ()) => { Some((stringify!($state), Some($crate::__DType::BF16))) };
}
