//! The models, each a test.
#![cfg(loom)]

/// A test of each of these models.
macro_rules! tests {
    ($($module:ident: $($model:ident)*;)*) => {
        $(mod $module {
            $(#[test]
            fn $model() {
                castnet_loom_tests::models::$module::$model();
            })*
        })*
    };
}

tests! {
    turns:
        calls_exclude_each_other
        calls_and_operations_exclude_each_other
        readers_leave_and_a_writer_comes
        two_things_at_once
        the_crew_runs_what_waits_for_a_call
        a_failure_is_told;
    operations:
        a_worker_hears_of_every_operation
        what_one_worker_leaves_another_takes
        who_waits_helps
        workers_and_those_who_wait
        all_are_waited_for
        an_id_is_of_one_operation
        the_crew_hears_of_every_operation
        who_waits_runs_what_a_worker_leaves;
    pool:
        a_job_with_a_worker
        the_number_of_threads_changes;
    job:
        phases_come_one_after_the_other
        short_phases
        jobs_one_after_the_other
        two_helpers;
    workspaces:
        nobody_has_what_somebody_else_has;
}
