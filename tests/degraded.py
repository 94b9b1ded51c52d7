"""What the program does by itself when not all is well: who says it, in which words, and which test provokes it."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One thing that the program does by itself when not all is well."""

    what: str
    """What happens, and what next."""

    where: str
    """The module that says it."""

    words: str
    """Of its event."""

    test: str
    """``file::test`` that provokes it."""


TABLE = (
    Row("a database that is locked or has no room is waited for", "checkpoints/store.py", "nothing is lost: ",
        "test_store.py::test_a_full_disk_makes_writers_wait_and_loses_nothing"),
    Row("a passage that failed", "checkpoints/writes/experiment.py", "{kind}: {error}",
        "test_pipeline.py::test_a_failed_training_ends_in_a_crash_with_the_reason_and_the_loop_goes_on"),
    Row("an experiment ends without a verdict on its worth", "checkpoints/writes/experiment.py", "crashed: ",
        "test_pipeline.py::test_a_failed_training_ends_in_a_crash_with_the_reason_and_the_loop_goes_on"),
    Row("what was put goes back to the proposer", "runner/pipeline.py", "went back to the proposer: ",
        "test_pipeline.py::test_a_change_that_the_new_champion_has_already_goes_back"),
    Row("an evaluation whose opponent reigns no longer", "checkpoints/writes/experiment.py", "evaluated again: ",
        "test_slots.py::test_a_keep_puts_those_beside_it_back_to_be_judged_against_the_new_champion"),
    Row("the run pauses itself", "runner/failing.py", "mend it, then resume",
        "test_pipeline.py::test_without_a_baseline_the_run_pauses_and_says_why_and_goes_on_at_the_next_start"),
    Row("an edit of the program that is none", "checkpoints/writes/run.py", "refused, the last good one stays: ",
        "test_session.py::test_an_invalid_edit_is_refused_with_its_line_and_the_last_good_one_stays"),
    Row("a promotion test that is called off", "checkpoints/writes/trust.py", "was called off: ",
        "test_promotion.py::test_a_test_whose_champion_reigns_no_longer_is_called_off"),
    Row("a passage is tried again, with half the batch where memory lacked", "runner/failing.py",
        "tried again, attempt ", "test_degraded.py::test_what_is_tried_again_is_said_with_what_is_different"),
    Row("a trainer that died goes on from its checkpoint", "lanes/training.py",
        "and goes on from its last checkpoint: ",
        "test_train_lane.py::test_a_worker_that_is_killed_costs_one_checkpoint_interval_and_no_attempt"),
    Row("a training waits for room", "lanes/training.py", "then it goes on by itself: ",
        "test_bad_input.py::test_a_disk_that_fills_in_the_middle_of_a_training_costs_no_attempt_and_no_step_that_was_kept"),
    Row("a damaged checkpoint is passed over, rows lack, a GPU is not seen", "lanes/training.py",
        "trained all the same: ", "test_degraded.py::test_what_a_training_did_without_is_said_once"),
    Row("a trainer that hangs is ended", "lanes/training.py", "no sign of life for ",
        "test_train_lane.py::test_a_worker_that_says_nothing_is_a_hang_and_is_killed"),
    Row("a trainer that stood by died, another one is started", "lanes/standby.py", "the trainer that stood by died",
        "test_train_lane.py::test_a_standby_worker_that_died_is_replaced_and_its_folder_removed"),
    Row("no trainer can stand by", "lanes/standby.py", "the next training starts cold: ",
        "test_degraded.py::test_a_trainer_that_cannot_stand_by_is_said"),
    Row("one of several seeds is tried again", "lanes/repeats.py", "; tried once more",
        "test_degraded.py::test_a_training_among_seeds_that_is_tried_once_more_is_said"),
    Row("data that changed under a training", "lanes/data_files.py", "was changed under a running training",
        "matrix/test_data_and_metrics_faults.py::"
        "test_a_data_file_that_is_changed_under_a_running_training_is_said_once_and_the_training_goes_on"),
    Row("data that changed between two trainings", "lanes/data_files.py", "was changed since the training before",
        "matrix/test_data_and_metrics_faults.py::"
        "test_data_that_are_changed_between_two_trainings_are_said_once_also_by_another_owner"),
    Row("an upload waits for room", "lanes/upload.py", "the upload waits and goes on by itself",
        "test_bad_input.py::test_a_place_that_is_full_makes_the_upload_wait_and_it_goes_on_by_itself"),
    Row("a published model that is damaged is published again", "lanes/published.py", "published again from ",
        "test_bad_input.py::test_a_published_champion_that_somebody_removed_is_published_again_from_what_was_trained"),
    Row("a model server that died is started again", "lanes/desk.py", "the model server died and is started again",
        "test_evaluate.py::test_a_server_that_is_killed_in_the_middle_is_started_again_and_no_vote_is_lost_or_doubled"),
    Row("a model server that died while nothing is judged is started again", "lanes/home.py",
        "the model server had ended, and is started again",
        "test_evaluate_arena.py::test_a_model_server_that_dies_while_nothing_is_judged_is_started_again_and_said"),
    Row("a model server that died while it loads is started again", "lanes/sharing.py", "and was started again: ",
        "test_degraded.py::test_a_server_that_dies_while_it_loads_is_started_again_and_said"),
    Row("prompts that no model takes", "lanes/question.py", "prompts that no model takes were skipped, ",
        "test_evaluate.py::test_a_prompt_that_is_too_long_for_the_model_is_skipped_and_said"),
    Row("the arena is started again", "lanes/venue.py", "the arena had ended, and was started again at ",
        "test_degraded.py::test_each_time_that_the_arena_is_started_again_is_another_line"),
    Row("a server that answers nobody is ended", "lanes/pulse.py", " answered nobody for ",
        "matrix/test_server_faults.py"
        "::test_a_server_that_is_signalled_in_an_evaluation_is_replaced_and_costs_no_vote"),
    Row("a simulated product that somebody stopped is replaced", "lanes/product_desk.py",
        "the simulated product was stopped by somebody",
        "matrix/test_server_faults.py::"
        "test_a_simulated_product_that_stays_stopped_is_ended_and_another_goes_on"),
    Row("answers that memory lacks for are given in smaller groups", "lanes/workers/generate.py",
        "memory lacked for so many answers at once, and fewer were given",
        "test_troubles.py::test_answers_that_memory_lacks_for_are_given_in_smaller_groups_and_it_is_told"),
    Row("votes that cannot be kept are asked for again", "lanes/arena/writer.py", "who voted was asked to try again: ",
        "test_troubles.py::test_votes_that_could_not_be_kept_are_told_also_after_they_can_be_again"),
    Row("the port of the arena is taken", "lanes/venue.py", "nobody can vote at the arena for now: ",
        "test_port_of_links.py::test_a_run_goes_on_without_its_page_until_the_port_of_the_links_is_free"),
    Row("the champion cannot be served", "lanes/home.py", "the champion cannot be served: ",
        "test_arena_alone.py::test_without_a_base_model_one_line_says_why_nothing_answers_and_votes_are_taken_all_the_same"),
    Row("a source of votes is down", "lanes/pull_votes.py", "no votes for now: ",
        "test_degraded.py::test_a_source_of_votes_that_is_down_is_said_and_so_is_a_line_that_is_no_vote"),
    Row("lines of the vote file are passed over", "lanes/vote_file.py", " is no vote: ",
        "test_degraded.py::test_a_source_of_votes_that_is_down_is_said_and_so_is_a_line_that_is_no_vote"),
    Row("a judge cannot be asked", "lanes/judge/sitting.py", "tried again in ",
        "test_judge_sitting.py::test_a_judge_that_cannot_be_asked_is_said_once_and_stops_nothing"),
    Row("a busy judge is asked again", "lanes/workers/judge.py", " was asked again, and replied: ",
        "test_judge_process.py::test_a_busy_service_is_asked_again_when_it_says"),
    Row("a judge that knows no schema is asked in words", "lanes/workers/judge.py",
        " is asked in a freer form from now on: ",
        "test_judge_process.py::test_a_service_that_knows_no_schema_is_asked_in_words_and_from_then_on"),
    Row("the votes cannot be studied", "runner/studies.py", "the votes could not be studied: ",
        "test_degraded.py::test_votes_that_cannot_be_studied_are_said"),
    Row("the playbook stands in", "runner/offers.py", "the playbook proposes: ",
        "test_agent.py::test_where_nobody_can_be_asked_the_playbook_proposes_and_the_reason_is_said_once"),
    Row("the playbook takes stock", "runner/agent/stock.py", "the playbook took stock: ",
        "test_zoom_out_asked.py::test_where_no_answer_can_be_used_the_playbook_takes_stock_and_it_is_said"),
    Row("a proposal that is refused", "runner/agent/agent.py", " was refused: ",
        "test_agent.py::test_refused_for_good_its_hypothesis_stays_open_and_the_playbook_proposes_visibly"),
    Row("a proposal that no longer fits", "runner/planner.py", " was refused: ",
        "test_agent.py::test_a_thought_that_no_longer_fits_is_refused_and_thought_anew"),
    Row("a service that fails is left alone for a while", "runner/agent/connection.py", " is left alone for ",
        "test_language_model.py::test_after_failures_in_a_row_nobody_is_asked_until_a_probe_is_answered"),
    Row("a busy service is asked again", "runner/agent/connection.py", " was asked again, and answered: ",
        "test_language_model.py::test_a_busy_service_is_asked_again_when_it_says_and_half_an_answer_is_none"),
    Row("the agent's process died and is started again", "runner/agent/connection.py",
        " is asked once more, in another process: ",
        "test_language_model.py::test_a_process_that_dies_is_started_again"),
    Row("a cap of the agent is reached", "runner/agent/caps.py", ": the next question would pass it",
        "test_language_model.py::test_a_cap_is_held_before_it_is_passed_and_said_once"),
    Row("a repair that comes too late is done without", "runner/script/repair.py", " gave no repair in ",
        "test_patience_for_a_repair.py::test_a_model_that_thinks_too_long_about_a_repair_is_not_waited_for"),
    Row("no copy of a database", "runner/copying.py", "no copy of ",
        "test_copies.py::test_a_copy_without_room_is_an_event_and_not_the_end"),
    Row("the system cannot watch the program", "runner/session.py", "the system cannot watch program.md",
        "test_session_helpers.py::test_an_edit_is_seen_where_the_system_can_watch_no_more_folders"),
    Row("what was kept cannot be committed", "runner/git.py", "what was kept is not committed yet: ",
        "test_night_in_git.py::test_a_branch_that_the_person_has_checked_out_waits_and_says_so_once"),
    Row("a worker does not end", "runner/pipeline.py", "goes on: ",
        "test_same_moment.py::test_a_step_that_was_done_is_not_called_refused_because_a_worker_does_not_end"),
    Row("the terminal is lost", "tui/owner.py", "the terminal has gone: the run goes on without a screen",
        "test_leaving.py::test_a_lost_terminal_leaves_the_run_going_on_in_the_same_process"),
    Row("the screen broke and is back", "tui/host.py", "the screen failed and is back",
        "test_leaving.py::test_a_screen_that_breaks_comes_back_and_at_last_leaves_the_run_alone"),
)  # fmt: skip

ELSEWHERE = {
    "checkpoints/writes/person.py": "a person's own step",
    "checkpoints/writes/votes.py": "a person's own step",
    "lanes/evaluate.py": "says what the modules that it asks complain of",
    "lanes/saying.py": "says what the modules of evaluation complain of",
    "lanes/script/other_lanes.py": "what a script printed beside its number",
    "lanes/script/runs.py": "matrix/test_worker_faults.py: what runs a script is stopped",
    "lanes/script/train_lane.py": "what a script printed beside its number",
    "lanes/script/following.py": "the branch of a script: as what is kept by ``runner/git.py``",
    "lanes/train.py": "says what the worker that stands by complains of",
    "runner/agent/model.py": "says what the connection and the caps complain of",
    "runner/assembly.py": "a trainer that does not end, as ``runner/pipeline.py``",
    "runner/checkup/repair.py": "what the doctor did: test_checkup_repair.py",
    "runner/finale.py": "a test that cannot be: test_promotion.py",
    "runner/script/lanes.py": "a script that is not confined: test_script_mode.py",
    "tui/headless.py": "prints events",
    "tui/signs.py": "draws events",
}
"""Modules that name a warning and are in no row, each with why."""
