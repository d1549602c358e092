//! From which launch to which one each buffer holds something.

use super::{Launch, Task, TaskKind};

/// Which launches write and read each buffer: first and last one. What lives when a loop begins or ends lives all through it.
pub fn lives(launches: &[Launch], schedule: &[Task], buffers: usize) -> Vec<Option<(usize, usize)>> {
    let mut lives: Vec<Option<(usize, usize)>> = vec![None; buffers];
    for (step, launch) in launches.iter().enumerate() {
        for buffer in launch.touches() {
            let (first, _) = lives[buffer].unwrap_or((step, step));
            lives[buffer] = Some((first, step));
        }
    }
    let loops = loops(schedule);
    lives.iter_mut().for_each(|life| extend(life, &loops));
    lives
}

/// As [`lives`] does: what lives when a loop begins or ends lives all through it.
pub fn extend_through_loops(life: &mut Option<(usize, usize)>, schedule: &[Task]) {
    extend(life, &loops(schedule));
}

/// As [`extend_through_loops`], of these [`loops`].
pub fn extend(life: &mut Option<(usize, usize)>, loops: &[(usize, usize)]) {
    let Some((first, last)) = life else { return };
    for &(start, end) in loops {
        let inside = start <= *first && *last <= end;
        let apart = *last < start || end < *first;
        if !inside && !apart {
            (*first, *last) = ((*first).min(start), (*last).max(end));
        }
    }
}

/// The first and last launch of every loop, inner loops before those around them.
pub fn loops(schedule: &[Task]) -> Vec<(usize, usize)> {
    let bodies =
        schedule.iter().filter_map(|step| if let TaskKind::Loop { body, .. } = &step.kind { Some(body) } else { None });
    bodies.flat_map(|body| loops(body).into_iter().chain(span(body))).collect()
}

/// The first and last launch of a body.
pub fn span(body: &[Task]) -> Option<(usize, usize)> {
    let spans = body.iter().filter_map(|step| match &step.kind {
        TaskKind::Launch(launch) => Some((*launch, *launch)),
        TaskKind::Loop { body, .. } => span(body),
        TaskKind::Ending(_) => None,
    });
    spans.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}
