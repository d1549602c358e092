//! What is left of a panic that was caught.

use std::any::Any;

/// What the payload of a panic says, which is not needed any more.
pub(crate) fn panic_message(payload: Box<dyn Any + Send>) -> String {
    let message = message_of(payload.as_ref());
    // Dropping a payload may panic itself; leaking it in this rare case cannot.
    std::mem::forget(payload);
    message
}

/// What the payload of a panic says.
pub(crate) fn message_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_string());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "no message".to_string())
}
