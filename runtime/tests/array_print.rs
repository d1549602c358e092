//! Arrays as text, held against what NumPy prints (`tests/golden/print.py`).

use castnet_runtime::Array;
use serde_json::Value;

fn array(case: &Value) -> Array {
    let shape: Vec<usize> =
        case["shape"].as_array().unwrap().iter().map(|size| size.as_u64().unwrap() as usize).collect();
    let values = case["values"].as_array().unwrap();
    let ints = || values.iter().map(|value| value.as_i64().unwrap());
    let floats = || values.iter().map(|value| value.as_str().unwrap().parse::<f64>().unwrap());
    let made = match case["dtype"].as_str().unwrap() {
        "float32" => Array::from_vec(&shape, floats().map(|x| x as f32).collect()),
        "float64" => Array::from_vec(&shape, floats().collect()),
        "int64" => Array::from_vec(&shape, ints().collect()),
        "int32" => Array::from_vec(&shape, ints().map(|x| x as i32).collect()),
        "uint8" => Array::from_vec(&shape, ints().map(|x| x as u8).collect()),
        other => panic!("{other}"),
    };
    made.unwrap()
}

#[test]
fn arrays_are_printed_as_numpy_does() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/print.json");
    let cases: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(cases.len() > 40);
    let mut wrong = vec![];
    for case in &cases {
        let (array, expected) = (array(case), case["text"].as_str().unwrap());
        if array.to_string() != expected {
            wrong.push(format!("{} {}:\n{array}\nnot\n{expected}", case["dtype"], case["shape"]));
        }
        // A view that lies otherwise is printed as what it shows.
        if array.shape().len() == 2 {
            assert_eq!(array.transpose(0, 1).contiguous().transpose(0, 1).to_string(), array.to_string());
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n\n"));
}

#[test]
fn with_fewer_digits_and_of_other_types() {
    let x = Array::from_vec(&[2], vec![1.0f32 / 3.0, 12.5]).unwrap();
    assert_eq!(format!("{x:.2}"), "[ 0.33 12.5 ]");
    assert_eq!(format!("{:?}", Array::scalar(1.5f32)), "f32 1.5");
    assert_eq!(format!("{:?}", Array::scalar(half::bf16::from_f32(1.01))), "bf16 1.0078125");
    assert_eq!(Array::from_vec(&[2], vec![true, false]).unwrap().to_string(), "[ true false]");
}
