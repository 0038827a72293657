// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "cli/invocation.h"
#include "cli/spec_source.h"
#include "cli/workdir_archive.h"

// From a draft to a durable task: pack, plan, ask, upload, create.
namespace penstock::cli {

struct Submission {
    TaskSpec spec;
    std::optional<WorkdirArchive> archive;
};

// Packs the work directory where the draft names one, and enters its hash.
Result<Submission> pack_draft(const Invocation& invocation, Draft draft);

// What became of a plan: withheld where the person said no, or with --dry-run; refused where a rule
// of the task on trust, residency or providers leaves no candidate.
enum class Consent { given, withheld, refused };

// Asks about a plan that is on the screen, of work that starts now or waits.
Result<Consent> ask_for_consent(const Invocation& invocation, bool starts_now);

// Shows the plan and asks. What no site could ever run is resource_exhausted.
io::Task<Result<Consent>> plan_and_confirm(Invocation* invocation, const Submission* submission);

// Uploads what the platform lacks and creates the task; when it returns, the task is durable.
io::Task<Result<Task>> submit(Invocation* invocation, const Submission* submission);

// "task/tk_…"
std::string reference(const Task& task);

}  // namespace penstock::cli
