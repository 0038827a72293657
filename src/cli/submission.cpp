// SPDX-License-Identifier: Apache-2.0
#include "cli/submission.h"

#include "cli/candidate_table.h"
#include "cli/human_text.h"

namespace penstock::cli {
namespace {
constexpr std::size_t kRequestIdLength = 32;
}

std::string reference(const Task& task) { return "task/" + to_string(task.id); }

Result<Submission> pack_draft(const Invocation& invocation, Draft draft) {
    Submission submission{std::move(draft.spec), std::nullopt};
    if (!submission.spec.workdir || submission.spec.workdir_sha256) return submission;
    const std::filesystem::path folder = draft.folder / *submission.spec.workdir;
    submission.archive = TRY(pack_workdir(folder.lexically_normal()));
    submission.spec.workdir_sha256 = submission.archive->sha256;
    invocation.say(
        "run.packed", submission.archive->entries, bytes_text(submission.archive->bytes),
        submission.archive->sha256.substr(0, 12)
    );
    return submission;
}

Result<Consent> ask_for_consent(const Invocation& invocation, bool starts_now) {
    if (!starts_now) invocation.say("plan.will_wait");
    if (invocation.has("dry-run")) {
        invocation.say("plan.dry_run");
        return Consent::withheld;
    }
    const bool agreed = TRY(confirmed(invocation, "plan.question"));
    if (!agreed) invocation.tell("plan.declined");
    return agreed ? Consent::given : Consent::withheld;
}

io::Task<Result<Consent>> plan_and_confirm(Invocation* invocation, const Submission* submission) {
    client::Client* client = CO_TRY(invocation->client());
    const Plan plan = CO_TRY(co_await client->plan_task(submission->spec));
    show_plan(*invocation, plan);
    if (refused_by_policy(plan)) {
        invocation->tell("plan.infeasible");
        co_return Consent::refused;
    }
    if (!plan.feasible && !may_fit_later(plan))
        co_return fail(
            ErrorCode::resource_exhausted,
            std::string(text(
                invocation->language, plan.candidates.empty() ? MessageKey("plan.no_sites")
                                                              : MessageKey("plan.infeasible")
            ))
        );
    co_return ask_for_consent(*invocation, plan.feasible);
}

io::Task<Result<Task>> submit(Invocation* invocation, const Submission* submission) {
    client::Client* client = CO_TRY(invocation->client());
    if (submission->archive) {
        const bool sent = CO_TRY(
            co_await client->upload_blob(submission->archive->sha256, submission->archive->file)
        );
        if (sent)
            invocation->say("run.uploaded", bytes_text(submission->archive->bytes));
        else
            invocation->say("run.upload_kept");
    }
    co_return co_await client->create_task(
        submission->spec, random_text(invocation->random, kRequestIdLength)
    );
}

}  // namespace penstock::cli
