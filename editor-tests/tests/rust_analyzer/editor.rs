//! An editor with one file open.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::client::{Client, uri};

/// A file of `src/` in an editor.
pub struct Editor {
    client: Client,
    uri: String,
    /// As it lies on the disk.
    pub original: String,
    text: String,
    version: u64,
}

impl Editor {
    /// Opens a file of this package.
    pub fn open(file: &str) -> Editor {
        let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        // Only this package and what it needs is compiled, as the tests have it already, and nothing while files change.
        let check = ["cargo", "build", "--quiet", "-p", "castnet-editor-tests", "--message-format=json"];
        let options = json!({
            "checkOnSave": false,
            "cachePriming": { "enable": false },
            "cargo": { "allTargets": false, "buildScripts": { "overrideCommand": check } },
        });
        let workspace = package.parent().expect("the package lies in the workspace");
        let mut client = Client::start(workspace, options);
        let path = package.join("src").join(file);
        let text = std::fs::read_to_string(&path).expect("the file is there");
        let uri = uri(&path);
        let document = json!({ "uri": uri, "languageId": "rust", "version": 1, "text": text });
        client.notify("textDocument/didOpen", json!({ "textDocument": document }));
        client.wait();
        Editor { client, uri, original: text.clone(), text, version: 1 }
    }

    /// Writes `new` in the place of `old`, in the file as it lies on the disk.
    pub fn write(&mut self, old: &str, new: &str) {
        assert!(self.original.contains(old), "{old}");
        self.text = self.original.replacen(old, new, 1);
        self.version += 1;
        let document = json!({ "uri": self.uri, "version": self.version });
        let changes = json!([{ "text": self.text }]);
        self.client.notify("textDocument/didChange", json!({ "textDocument": document, "contentChanges": changes }));
    }

    /// What is shown over the place marked by `|`.
    pub fn hover(&mut self, place: &str) -> String {
        let answer = self.ask("textDocument/hover", place);
        answer["contents"]["value"].as_str().unwrap_or_default().to_string()
    }

    /// The first lines of code that are shown over the place marked by `|`, without where it is defined.
    pub fn signature(&mut self, place: &str) -> String {
        let hover = self.hover(place);
        let mut codes = hover.split("```rust\n").skip(1).filter_map(|code| code.split("\n```").next());
        let is_path = |code: &str| !code.contains(' ');
        codes.find(|code| !is_path(code)).unwrap_or_default().to_string()
    }

    /// Where what stands at the place marked by `|` is defined: `net.rs: stem`, a file with the rest of the line.
    pub fn definition(&mut self, place: &str) -> Vec<String> {
        let answer = self.ask("textDocument/definition", place);
        let found = answer.as_array().cloned().unwrap_or_default();
        found.iter().map(|location| self.line(location)).collect()
    }

    fn line(&self, location: &Value) -> String {
        let file = location["uri"].as_str().unwrap_or_default();
        let text = match file == self.uri {
            true => self.text.clone(),
            false => std::fs::read_to_string(file.trim_start_matches("file://")).unwrap_or_default(),
        };
        let number = |name: &str| location["range"]["start"][name].as_u64().unwrap_or_default() as usize;
        let line = text.lines().nth(number("line")).unwrap_or_default();
        let rest = line.get(number("character")..).unwrap_or_default();
        format!("{}: {rest}", file.rsplit('/').next().unwrap_or_default())
    }

    /// What is offered at the place marked by `|`.
    pub fn completions(&mut self, place: &str) -> Vec<String> {
        let answer = self.ask("textDocument/completion", place);
        let items = answer.get("items").unwrap_or(&answer).as_array().cloned().unwrap_or_default();
        items.iter().filter_map(|item| item["label"].as_str()).map(str::to_string).collect()
    }

    /// The mistakes that are shown.
    pub fn mistakes(&mut self) -> Vec<String> {
        let params = json!({ "textDocument": { "uri": self.uri } });
        let answer = self.client.request("textDocument/diagnostic", params);
        let items = answer["items"].as_array().cloned().unwrap_or_default();
        let message = |item: &Value| {
            let place = self.line(&json!({ "uri": self.uri, "range": item["range"] }));
            let message = item["message"].as_str().unwrap_or_default().lines().next().unwrap_or_default().to_string();
            format!("{message} at {}", place.trim_start_matches("net.rs: "))
        };
        items.iter().map(message).collect()
    }

    fn ask(&mut self, method: &str, place: &str) -> Value {
        let before = place.find('|').expect("a `|` marks the place");
        let text = place.replacen('|', "", 1);
        let start = self.text.find(&text).unwrap_or_else(|| panic!("`{text}` is in the file")) + before;
        let line = self.text[..start].matches('\n').count();
        let character = start - self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let document = json!({ "uri": self.uri });
        let position = json!({ "line": line, "character": character });
        self.client.request(method, json!({ "textDocument": document, "position": position }))
    }
}
