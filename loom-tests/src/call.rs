//! Workspaces that calls take and give back.

use std::sync::Arc;

use crate::models::{check, spawn};

#[path = "../../runtime/src/call/workspaces.rs"]
#[allow(dead_code)]
mod workspaces;

/// Three calls at once, two of them twice: each has one to itself.
pub fn nobody_has_what_somebody_else_has() {
    check(|| {
        let workspaces = Arc::new(workspaces::Workspaces::new());
        let call = |workspaces: &workspaces::Workspaces| workspaces.lease().frame.write();
        let twice = |workspaces: Arc<workspaces::Workspaces>| {
            move || {
                call(&workspaces);
                call(&workspaces);
            }
        };
        let threads = [spawn(twice(workspaces.clone())), spawn(twice(workspaces.clone()))];
        call(&workspaces);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}
