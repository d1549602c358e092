//! castnet
