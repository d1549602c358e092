//! A net as the bytes that a binary carries: by postcard, so numbers keep every bit, NaN and infinities too. [`Net::from_bytes`] reads them.

use crate::net::Net;

/// The net as bytes.
///
/// # Errors
/// If some part of it has no form in bytes: a list whose length is not known before, of which a net has none.
pub fn to_bytes(net: &Net) -> Result<Vec<u8>, String> {
    postcard::to_allocvec(net).map_err(|error| format!("the net has no form in bytes: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Backend, ForTarget, Function, Init, Mirror, Parameter, Programs};
    use crate::program::{Access, Family, Index, Launch, Layout, Level, Program, Stage};
    use crate::scalar::{Code, Instr, Literal};
    use crate::size::Size;

    fn net(literals: &[Literal]) -> Net {
        let instrs = literals.iter().map(|&literal| Instr::Const(literal)).collect();
        let code = Code { instrs, ..Code::default() };
        let size: Size = "2*N*T - N + 7".parse().unwrap();
        let index = Index { divide: 2, exact: true, modulo: 3, ..Index::of(1).times(-4).plus(&size) };
        let mut load = Access::new(3, vec![size.clone()], vec![index]);
        load.outside = Some(Literal::F32(f32::NEG_INFINITY));
        let launch = Launch {
            name: "x × \"y\"".into(),
            loc: 7,
            space: vec![size.clone(), i64::MIN.into(), i64::MAX.into()],
            reduce: vec![],
            family: Family::Flat,
            loads: vec![load],
            stores: vec![],
            stages: vec![Stage { level: Level::Element, inputs: vec![], code, outputs: vec![] }],
            updates: None,
        };
        let program = Program { name: "F.f".into(), launches: vec![launch], flops: size, ..Program::default() };
        Net {
            float: crate::types::DType::F32,
            name: "F".into(),
            parameters: vec![Parameter::new("w", vec![3, 4], Init::Normal(-0.0, f32::MAX))],
            states: vec![],
            functions: vec![Function { name: "f".into(), reaches: vec![] }],
            targets: vec![ForTarget {
                target: Backend::Cpu,
                layouts: vec![Layout::Panels(vec![1])],
                mirrors: vec![Mirror { parameter: 0, dtype: crate::types::DType::BF16, layout: Layout::Plain }],
                programs: vec![Programs { inference: program, training: None }],
            }],
        }
    }

    #[test]
    fn a_net_is_read_back() {
        let literals = [Literal::I32(i32::MIN), Literal::I64(i64::MIN), Literal::Bool(true), Literal::F64(1e300)];
        let net = net(&literals);
        assert_eq!(Net::from_bytes(&to_bytes(&net).unwrap()), Ok(net));
    }

    #[test]
    fn every_bit_of_a_number_is_kept() {
        let floats =
            [0, 1 << 31, 1, 0x7f80_0000, 0xff80_0000, 0x7fc0_0000, 0xffc0_1234, 0x7f80_0001].map(f32::from_bits);
        let doubles = [1 << 63, 1, 0x7ff0 << 48, 0xfff0 << 48, 0x7ff8 << 48, 0xfff0_0000_0000_0001].map(f64::from_bits);
        let literals: Vec<_> = floats.map(Literal::F32).into_iter().chain(doubles.map(Literal::F64)).collect();
        let back = Net::from_bytes(&to_bytes(&net(&literals)).unwrap()).unwrap();
        let instrs = &back.cpu()[0].inference.launches[0].stages[0].code.instrs;
        let bits: Vec<u64> = instrs.iter().map(|i| if let Instr::Const(c) = i { c.bits() } else { 0 }).collect();
        assert_eq!(bits, literals.iter().map(|c| c.bits()).collect::<Vec<_>>());
    }

    #[test]
    fn broken_bytes_are_errors() {
        let bytes = to_bytes(&net(&[])).unwrap();
        for end in 0..bytes.len() {
            assert!(Net::from_bytes(&bytes[..end]).is_err(), "the first {end} bytes");
        }
        let more = [&bytes[..], &[0]].concat();
        assert_eq!(Net::from_bytes(&more).unwrap_err(), "1 bytes follow the net");
        for at in 0..bytes.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut broken = bytes.clone();
                broken[at] = value;
                let _ = Net::from_bytes(&broken).map(|net| to_bytes(&net));
            }
        }
    }
}
