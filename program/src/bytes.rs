//! A net from the bytes that a binary carries, which the compiler writes.

use crate::net::Net;

impl Net {
    /// The net that bytes hold, all of them.
    ///
    /// # Errors
    /// What is wrong with the bytes, if they are no net. Whether the net holds together is another question.
    pub fn from_bytes(bytes: &[u8]) -> Result<Net, String> {
        match postcard::take_from_bytes(bytes) {
            Ok((net, [])) => Ok(net),
            Ok((_, rest)) => Err(format!("{} bytes follow the net", rest.len())),
            Err(error) => Err(format!("{} bytes are no net: {error}", bytes.len())),
        }
    }
}
