//! Texts as numbers: a vocabulary of characters, and windows for networks that predict the next one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::array::Array;
use crate::data::{Dataset, Field};
use crate::error::{Error, Result};

/// The characters that a text is made of, each with a number: its place in the order of Unicode.
///
/// ```
/// use castnet_runtime::data::Vocabulary;
///
/// let vocabulary = Vocabulary::of("abracadabra");
/// assert_eq!(vocabulary.len(), 5);
/// assert_eq!(vocabulary.encode("cab")?, [2, 0, 1]);
/// assert_eq!(vocabulary.decode(&[2, 0, 1])?, "cab");
/// # Ok::<(), castnet_runtime::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vocabulary {
    characters: Vec<char>,
}

impl Vocabulary {
    /// The key of a vocabulary in a checkpoint.
    const KEY: &'static str = "text.vocabulary";

    /// The characters that occur in `text`.
    pub fn of(text: &str) -> Vocabulary {
        // A mark for each there is: a sorted copy of the text would be four times as long as the text.
        let mut occurs = vec![false; char::MAX as usize + 1];
        text.chars().for_each(|character| occurs[character as usize] = true);
        Vocabulary { characters: ('\0'..=char::MAX).filter(|&character| occurs[character as usize]).collect() }
    }

    /// The number of characters.
    pub fn len(&self) -> usize {
        self.characters.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.characters.is_empty()
    }

    /// The number of each character of `text`.
    ///
    /// # Errors
    /// If a character is not in the vocabulary, or there is no memory for the numbers.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let mut tokens = room("the numbers of a text", text.chars().count())?;
        for (place, character) in text.chars().enumerate() {
            let Ok(number) = self.characters.binary_search(&character) else {
                let what = format!(
                    "character {place} is {character:?}, which is not among the {} of the vocabulary",
                    self.len()
                );
                return Err(Error::Data { what });
            };
            tokens.push(number as u32);
        }
        Ok(tokens)
    }

    /// The text with these numbers.
    ///
    /// # Errors
    /// If a number is not below [`Vocabulary::len`], or there is no memory for the text.
    pub fn decode(&self, tokens: &[u32]) -> Result<String> {
        let character = |(place, &token): (usize, &u32)| {
            self.characters.get(token as usize).copied().ok_or_else(|| Error::Data {
                what: format!("token {place} is {token}, expected 0 to {}", self.len().saturating_sub(1)),
            })
        };
        let characters = || tokens.iter().enumerate().map(character);
        let bytes = characters().try_fold(0, |bytes, c| Ok::<_, Error>(bytes + c?.len_utf8()))?;
        let mut text = String::new();
        let no_memory = |_| Error::Memory { function: "a decoded text".to_string(), bytes };
        text.try_reserve_exact(bytes).map_err(no_memory)?;
        for character in characters() {
            text.push(character?);
        }
        Ok(text)
    }

    /// An entry for a checkpoint's state, beside those of [`Fit::state`](crate::train::Fit::state).
    pub fn state(&self) -> BTreeMap<String, String> {
        BTreeMap::from([(Vocabulary::KEY.to_string(), self.characters.iter().collect())])
    }

    /// The vocabulary in a checkpoint's state.
    ///
    /// # Errors
    /// If there is none.
    pub fn from_state(state: &BTreeMap<String, String>) -> Result<Vocabulary> {
        let text = state.get(Vocabulary::KEY).ok_or_else(|| Error::Data {
            what: format!("the checkpoint has no entry `{}`: it was not made from a text", Vocabulary::KEY),
        })?;
        Ok(Vocabulary::of(text))
    }
}

/// Room for so many numbers.
fn room(what: &str, count: usize) -> Result<Vec<u32>> {
    let mut numbers = Vec::new();
    let bytes = count.saturating_mul(size_of::<u32>());
    let no_memory = |_| Error::Memory { function: what.to_string(), bytes };
    numbers.try_reserve_exact(count).map_err(no_memory)?;
    Ok(numbers)
}

/// A text as the numbers of its characters.
///
/// ```
/// use castnet_runtime::data::{Batches, Text};
///
/// let (train, validation) = Text::new("the quick brown fox jumps over the lazy dog")?.split(0.25)?;
/// assert_eq!((train.len(), validation.len()), (32, 11));
///
/// let windows = train.windows(5)?;
/// let mut batches = Batches::new(&windows, 2)?.shuffle(1);
/// while let Some([tokens, next]) = batches.next_batch()? {
///     assert_eq!(tokens.as_slice::<u32>()?[1..5], next.as_slice::<u32>()?[..4]); // net.loss_step(&mut adam, tokens, next)?
/// }
/// # Ok::<(), castnet_runtime::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    vocabulary: Vocabulary,
    tokens: Vec<u32>,
}

impl Text {
    /// A text with the vocabulary of its own characters.
    ///
    /// # Errors
    /// If it is empty.
    pub fn new(text: &str) -> Result<Text> {
        if text.is_empty() {
            return Err(Error::Data { what: "a text without characters".to_string() });
        }
        Text::with_vocabulary(text, Vocabulary::of(text))
    }

    /// A text in a given vocabulary, as a checkpoint restores it.
    ///
    /// # Errors
    /// If it has a character that is not in the vocabulary.
    pub fn with_vocabulary(text: &str, vocabulary: Vocabulary) -> Result<Text> {
        let tokens = vocabulary.encode(text)?;
        Ok(Text { vocabulary, tokens })
    }

    /// The text in a file in UTF-8, plain or compressed by gzip (told apart by content, not by name).
    ///
    /// # Errors
    /// If the file cannot be read, is damaged gzip, is not UTF-8, or is empty.
    pub fn read(path: impl AsRef<Path>) -> Result<Text> {
        let path = path.as_ref();
        let file = File::open(path).map_err(Error::io(path, "cannot be opened"))?;
        let mut reader = BufReader::with_capacity(1 << 16, file);
        let start = reader.fill_buf().map_err(Error::io(path, "cannot be read"))?;
        let mut bytes = Vec::new();
        let read = match start.starts_with(&[0x1f, 0x8b]) {
            true => MultiGzDecoder::new(reader).read_to_end(&mut bytes),
            false => reader.read_to_end(&mut bytes),
        };
        read.map_err(Error::io(path, "cannot be read"))?;
        let text = String::from_utf8(bytes).map_err(|error| Error::DataFile {
            path: path.to_path_buf(),
            offset: error.utf8_error().valid_up_to() as u64,
            expected: "text in UTF-8".to_string(),
            found: format!("the byte {:02x}", error.as_bytes()[error.utf8_error().valid_up_to()]),
        })?;
        Text::new(&text)
    }

    /// The characters that it is made of.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// The number of characters.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The numbers of the characters, in order.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// What to train on, and the last `validation` of the text (a share, 0.1 for a tenth) to validate on; both keep the vocabulary.
    ///
    /// # Errors
    /// If the share is not between 0 and 1, or leaves one of them empty; if there is no memory for the second.
    pub fn split(self, validation: f64) -> Result<(Text, Text)> {
        let all = self.len();
        let train = (all as f64 * (1.0 - validation)).floor();
        if !(train >= 1.0 && train < all as f64) {
            return Err(Error::Data {
                what: format!("{validation} of {all} characters to validate on leaves nothing"),
            });
        }
        let Text { vocabulary, mut tokens } = self;
        let mut last = room("the text to validate on", all - train as usize)?;
        last.extend_from_slice(&tokens[train as usize..]);
        tokens.truncate(train as usize);
        let validation = Text { vocabulary: vocabulary.clone(), tokens: last };
        Ok((Text { vocabulary, tokens }, validation))
    }

    /// Examples of two fields, `u32[length]` each: a window of the text, and the character after each of its. The windows lie side by
    /// side; what is left over at the end is not used.
    ///
    /// # Errors
    /// If `length` is 0 or the text has no window with a character after it.
    pub fn windows(&self, length: usize) -> Result<Dataset<2>> {
        let count = self.len().saturating_sub(1).checked_div(length).unwrap_or(0);
        if count == 0 {
            return Err(Error::Data {
                what: format!("no window of {length} characters with one after it in a text of {}", self.len()),
            });
        }
        let field = |from: usize| Array::from_slice(&[count, length], &self.tokens[from..from + count * length]);
        Dataset::new([Field::new(field(0)?), Field::new(field(1)?)])
    }
}
