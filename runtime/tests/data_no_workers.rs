//! Loaders in a process whose engine has no threads: whoever wants a batch makes it.

#[path = "common/source.rs"]
mod source;

use castnet_runtime::data::{Batches, Dataset};
use castnet_runtime::engine::Engine;
use source::{Drawn, epoch, rows};

#[test]
fn whoever_wants_a_batch_makes_it() {
    castnet_runtime::set_threads(1);
    for data in [rows(50), Dataset::of(Drawn(50)).unwrap()] {
        let mut plain = Batches::new(&data, 3).unwrap().shuffle(2);
        let epochs: Vec<_> = (0..3).map(|_| epoch(&mut plain)).collect();
        // More than the engine lets a thread have pushed.
        for _ in 0..500 {
            let mut ahead = Batches::new(&data, 3).unwrap().shuffle(2).prefetch(4).unwrap();
            assert_eq!(epoch(&mut ahead), epochs[0]);
            assert_eq!(epoch(&mut ahead), epochs[1]);
            ahead.start(2, 1);
            assert!(ahead.next_batch().unwrap().is_some());
        }
    }
    // What nobody ran finds nothing to do.
    Engine::global().wait_all().unwrap();
    // Once it takes nothing any more, as before.
    Engine::global().shutdown().unwrap();
    let mut plain = Batches::new(&rows(50), 3).unwrap();
    assert_eq!(epoch(&mut Batches::new(&rows(50), 3).unwrap().prefetch(2).unwrap()), epoch(&mut plain));
}
