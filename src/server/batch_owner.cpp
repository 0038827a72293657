// SPDX-License-Identifier: Apache-2.0
#include "server/batch_owner.h"

#include <algorithm>

#include "base/check.h"
#include "batches/life.h"
#include "model/replica_policy.h"
#include "server/batch_files.h"

// How batches begin and end; batch_room.cpp and batch_lines.cpp are what happens between.
namespace penstock::server {
namespace {

telemetry::Counter& lines_counter(Platform& platform, std::string_view outcome) {
    return platform.metrics().counter(
        "penstock_batch_lines_total", "Tries of lines of batches, by how they ended.",
        {{"outcome", outcome}}
    );
}

telemetry::Counter& given_counter(Platform& platform, std::string_view by) {
    return platform.metrics().counter(
        "penstock_batch_lines_given_total",
        "Lines of batches that were given to gateways, by what decided.", {{"by", by}}
    );
}

// Of a service that goes to zero there may be no endpoint now.
bool any_offer(const Platform& platform, const std::string& model, bool of_batches) {
    const auto offers = [&](const Task& task) {
        return task.spec.service && is_elastic(*task.spec.service) && !is_terminal(task.state) &&
               task.spec.service->model == model &&
               (!of_batches || task.spec.service->batch_percent);
    };
    if (!platform.board.list(offers).empty()) return true;
    return std::ranges::any_of(platform.endpoints, [&](const auto& row) {
        const Endpoint& endpoint = row.second.endpoint;
        return endpoint.model == model && (!of_batches || endpoint.batch_percent) &&
               endpoint.state != EndpointState::deleted;
    });
}

BatchFault no_engine(const Platform& platform, const std::string& model) {
    if (!any_offer(platform, model, false))
        return {
            .code = "model_not_found",
            .message = "line 1: body.model: '" + model +
                       "' does not exist; GET /v1/models lists those that do",
            .param = "body.model",
            .line = 1
        };
    return {
        .code = "model_not_in_batches",
        .message = "line 1: body.model: no provider of '" + model +
                   "' declares a price for batches; 'batch_pricing' of GET /v1/models tells which "
                   "models have one",
        .param = "body.model",
        .line = 1
    };
}

}  // namespace

BatchOwner::BatchOwner(
    Platform& platform, Billing& billing, FileShelf& files, io::Pool& pool, Options options
)
    : platform_(platform),
      billing_(billing),
      files_(files),
      pool_(pool),
      options_(std::move(options)),
      started_at_(platform.now()),
      stored_(platform.runtime().executor()),
      changed_(platform.runtime().executor()),
      wake_(platform.runtime().executor()),
      watch_(platform.runtime().executor()),
      lines_completed_(&lines_counter(platform, "completed")),
      lines_failed_(&lines_counter(platform, "failed")),
      lines_retried_(&lines_counter(platform, "retried")),
      given_pressed_(&given_counter(platform, "deadline")),
      given_by_shares_(&given_counter(platform, "share")),
      waiting_(&platform.metrics().gauge(
          "penstock_batch_lines_waiting", "Lines of batches that nobody runs."
      )),
      room_(&platform.metrics().gauge(
          "penstock_batch_room", "Lines of batches that could begin beside interactive calls."
      )),
      late_(&platform.metrics().gauge(
          "penstock_batches_late", "Batches that cannot be in time beside the others."
      )) {
    platform.replicas_for_lines = [this](const Task& task) { return replicas_for_lines(task); };
}

Result<void> BatchOwner::open() {
    std::error_code error;
    std::filesystem::create_directories(options_.directory, error);
    if (error) return disk_error(options_.directory, error.value());
    return {};
}

io::Task<void> BatchOwner::run() {
    telemetry::Gauge& open =
        platform_.metrics().gauge("penstock_batches_open", "Batches that have not ended.");
    while (!platform_.stopping()) {
        std::vector<BatchId> ids;
        for (const auto& [id, batch] : platform_.batches)
            if (!batches::has_ended(batch)) ids.push_back(id);
        open.set(static_cast<double>(ids.size()));
        for (const BatchId id : ids) co_await look_at(id);
        look_at_room();
        Change change;
        sweep(change);
        if (!change.empty()) platform_.commit(std::move(change));
        co_await wake_.wait(io::Deadline::after(kBatchTick));
    }
}

void BatchOwner::store(Change& change, const StoredBatch& batch) {
    platform_.put(change, batch);
    if (batches::has_ended(batch) || batch.status == BatchStatus::in_progress)
        platform_.add_event(
            change, "batch/" + to_string(batch.id), "batch_" + batches::status_name(batch.status),
            batch.organisation_id, "platform", batch.endpoint + " " + batch.model
        );
}

// ---- what users ask ----

Result<const StoredBatch*> BatchOwner::find(const access::Principal& principal, std::string_view id)
    const {
    const Result<BatchId> parsed = BatchId::parse(id);
    const auto found = parsed ? platform_.batches.find(*parsed) : platform_.batches.end();
    if (found == platform_.batches.end() ||
        found->second.organisation_id != principal.organisation_id ||
        found->second.project_id != principal.project_id)
        return fail_field(
            ErrorCode::not_found, "batch_id",
            "there is no batch '" + std::string(id) +
                "' in this project; GET /v1/batches lists them"
        );
    return &found->second;
}

Result<BatchId> BatchOwner::create(
    Change& change, const access::Principal& principal, const CreateBatch& wanted
) {
    StoredBatch batch = TRY(batches::new_batch(
        wanted, {principal.organisation_id, principal.project_id, principal.key_id},
        platform_.make_id<BatchId>(), platform_.now()
    ));
    const StoredFile* input = TRY(files_.find(principal, wanted.input_file_id, "input_file_id"));
    if (input->purpose != "batch")
        return fail_field(
            ErrorCode::invalid_argument, "input_file_id",
            "is not an input: upload one with purpose 'batch'"
        );
    std::size_t open = 0;
    std::size_t all = 0;
    for (const auto& [id, other] : platform_.batches) {
        if (other.organisation_id != principal.organisation_id) continue;
        ++all;
        if (!batches::has_ended(other)) ++open;
    }
    if (open >= kBatchesOpenPerOrganisationMax || all >= kBatchesPerOrganisationMax)
        return fail(
            ErrorCode::resource_exhausted,
            "the organisation has " + std::to_string(open) + " batches that have not ended, of " +
                std::to_string(kBatchesOpenPerOrganisationMax) + ", and " + std::to_string(all) +
                " in all, of " + std::to_string(kBatchesPerOrganisationMax) +
                ": wait until some end, or cancel some"
        );
    const BatchId id = batch.id;
    store(change, batch);
    platform_.batches[id] = std::move(batch);
    wake_.notify_all();
    return id;
}

Result<void> BatchOwner::cancel(Change& change, BatchId id) {
    StoredBatch& batch = platform_.batches.at(id);
    TRY(batches::cancel(batch, platform_.now()));
    store(change, batch);
    wake_.notify_all();
    return {};
}

// ---- the life of one batch ----

// Its row may be erased meanwhile only by sweep(), which leaves batches that have not ended.
io::Task<void> BatchOwner::look_at(BatchId id) {
    if (!running_.contains(id)) co_await load(id);
    StoredBatch& batch = platform_.batches.at(id);
    const auto running = running_.find(id);
    if (running != running_.end()) follow(batch, running->second);
    if (batch.status == BatchStatus::finalizing) co_await finalize(id);
}

io::Task<void> BatchOwner::load(BatchId id) {
    const StoredBatch before = platform_.batches.at(id);
    const std::filesystem::path input = files_.path_of(before.input_file_id);
    const std::filesystem::path results = results_of(id);
    Result<batches::CheckedInput> checked =
        co_await pool_.run([&] { return check_input_file(input, before.endpoint); });
    Result<std::vector<ResultSeen>> seen =
        co_await pool_.run([&] { return read_results_file(results, before.results_bytes); });
    StoredBatch& batch = platform_.batches.at(id);
    if (!checked || !seen) {
        const Error& cause = checked ? seen.error() : checked.error();
        platform_.log().error(
            "a batch cannot be read; it fails", cause, {{"batch", to_string(id)}}
        );
        Change change;
        batches::fail_batch(
            batch,
            {.code = "server_error",
             .message = "the platform cannot read the batch's files: send it again"},
            platform_.now()
        );
        store(change, batch);
        platform_.commit(std::move(change));
        co_return;
    }
    // One that was cancelled before it was read has no lines to run.
    const std::int64_t lines = checked->faults.empty() ? checked->lines : 0;
    Running running{.book = batches::LineBook(id, lines), .index = checked->index};
    for (const ResultSeen& one : *seen) {
        CHECK(
            running.book.take({id, one.line, running.book.attempt_of(one.line)}),
            "results name lines of the input, each until it has ended"
        );
        if (one.kind == batches::ResultKind::retry)
            running.book.retry(one.line);
        else
            running.book.end(one.line, one.kind == batches::ResultKind::output);
    }
    Change change;
    if (batch.status == BatchStatus::validating) judge(change, batch, *std::move(checked));
    if (!batches::has_ended(batch)) running_.emplace(id, std::move(running));
    if (!change.empty()) platform_.commit(std::move(change));
    changed_.notify_all();
}

void BatchOwner::judge(Change& change, StoredBatch& batch, batches::CheckedInput input) {
    if (input.faults.empty() && !any_offer(platform_, input.model, true))
        input.faults.push_back(no_engine(platform_, input.model));
    batches::on_checked(batch, std::move(input), platform_.now());
    store(change, batch);
}

// Whether its lines are over.
void BatchOwner::follow(StoredBatch& batch, Running& running) {
    const Time now = platform_.now();
    running.book.expire(now);
    std::optional<BatchStatus> ends_as;
    const bool idle = running.book.busy() == 0;
    // What still runs has so long; then nobody waits for it.
    const auto over = [&](Time since) {
        return idle || (now >= since + batches::kLinesFinishWithin && !running.book.is_storing());
    };
    if (batch.status == BatchStatus::cancelling) {
        if (over(*batch.cancelling_at)) ends_as = BatchStatus::cancelled;
    } else if (batch.status == BatchStatus::in_progress) {
        if (running.book.all_ended())
            ends_as = BatchStatus::completed;
        else if (now >= batch.expires_at && over(batch.expires_at))
            ends_as = BatchStatus::expired;
    }
    if (!ends_as) return;
    Change change;
    batches::begin_finalizing(batch, *ends_as, now);
    store(change, batch);
    platform_.commit(std::move(change));
}

io::Task<void> BatchOwner::finalize(BatchId id) {
    const StoredBatch before = platform_.batches.at(id);
    OutputPlan plan{
        .results = results_of(id),
        .results_bytes = before.results_bytes,
        .input = files_.path_of(before.input_file_id),
        .endpoint = before.endpoint,
        .batch_id = id,
        .cancelled = before.ends_as == BatchStatus::cancelled
    };
    const batches::LineBook& book = running_.at(id).book;
    const std::int64_t lines_all = book.total();
    if (before.ends_as != BatchStatus::completed)
        for (std::int64_t line = 0; line < book.total(); ++line)
            plan.ended.push_back(book.has_ended(line));
    const std::unique_ptr<IncomingFile> output = files_.begin();
    const std::unique_ptr<IncomingFile> error = files_.begin();
    const FileId output_id = platform_.make_id<FileId>();
    const FileId error_id = platform_.make_id<FileId>();
    const Result<OutputLines> lines = co_await pool_.run([&]() -> Result<OutputLines> {
        const OutputLines made = TRY(write_outputs(plan, *output, *error));
        if (made.output > 0) TRY(output->finish(files_.path_of(output_id)));
        if (made.error > 0) TRY(error->finish(files_.path_of(error_id)));
        return made;
    });
    if (!lines) {
        // The disk may be mended; the next tick tries again.
        platform_.log().error(
            "the files of a batch cannot be made", lines.error(), {{"batch", to_string(id)}}
        );
        co_return;
    }
    Change change;
    StoredBatch& batch = platform_.batches.at(id);
    if (lines->output > 0) {
        keep_output(change, batch, {output_id, "_output.jsonl"}, *output);
        batch.output_file_id = output_id;
    }
    if (lines->error > 0) {
        keep_output(change, batch, {error_id, "_error.jsonl"}, *error);
        batch.error_file_id = error_id;
    }
    // Of one that was cancelled before its input had been looked at nobody counted them.
    batch.counts.total = std::max(batch.counts.total, lines_all);
    batch.counts.failed = std::max(batch.counts.failed, lines->error);
    batches::on_finalized(batch, platform_.now());
    store(change, batch);
    change.after.emplace_back([this, path = results_of(id)] {
        (void)pool_.post([path] {
            std::error_code ignored;
            std::filesystem::remove(path, ignored);
        });
    });
    running_.erase(id);
    platform_.commit(std::move(change));
}

void BatchOwner::keep_output(
    Change& change, const StoredBatch& batch, const Output& named, IncomingFile& file
) {
    const Duration lives = batch.output_lives_seconds
                               ? Duration(std::chrono::seconds(*batch.output_lives_seconds))
                               : kFileLives;
    StoredFile row{
        .id = named.id,
        .organisation_id = batch.organisation_id,
        .project_id = batch.project_id,
        .filename = to_string(batch.id) + std::string(named.ending),
        .purpose = "batch_output",
        .bytes = static_cast<std::int64_t>(file.bytes()),
        .sha256 = file.hash(),
        .created_at = platform_.now(),
        .expires_at = platform_.now() + lives
    };
    platform_.put(change, row);
    platform_.files[named.id] = std::move(row);
}

// Files and rows that have been kept for long enough.
void BatchOwner::sweep(Change& change) {
    const Time now = platform_.now();
    std::set<FileId> read;
    std::vector<BatchId> old;
    for (const auto& [id, batch] : platform_.batches) {
        const std::optional<Time> ended = batches::ended_at(batch);
        if (!ended) read.insert(batch.input_file_id);
        if (ended && now >= *ended + kBatchKept) old.push_back(id);
    }
    for (const BatchId id : old) {
        platform_.batches.erase(id);
        platform_.remove(change, "batch", to_string(id));
    }
    std::vector<FileId> over;
    for (const auto& [id, file] : platform_.files)
        if (file.expires_at && now >= *file.expires_at && !read.contains(id)) over.push_back(id);
    for (const FileId id : over) files_.remove(change, id);
}

}  // namespace penstock::server
