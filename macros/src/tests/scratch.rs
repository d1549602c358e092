use crate::expand::expand;
#[test]
fn scratch() {
    let Ok(path) = std::env::var("NET") else { return };
    let source = std::fs::read_to_string(path).unwrap();
    let out = expand(source.parse().unwrap()).to_string();
    let out = out.replace("\\n", "\n");
    std::fs::write("/tmp/scratch.txt", out).unwrap();
}
