//! Programs printed and read back.

use castnet_graph::text::{ProgramText, program::read};
use castnet_program::net::Net;

/// Every program of a net is what its listing says.
pub fn read_back(net: &Net) {
    for program in net.cpu().iter().flat_map(|f| f.each()) {
        let listing = program.listing();
        let back = read(&listing).unwrap_or_else(|e| panic!("{}: {e}\n{listing}", program.name));
        // NaN equals nothing, but is written as it was.
        assert!(back == *program || listing.contains("NaN") && back.listing() == listing, "{listing}");
    }
}
