// SPDX-License-Identifier: Apache-2.0
#include "cli/composite.h"

#include <boost/json.hpp>

#include "cli/candidate_table.h"
#include "cli/human_text.h"
#include "cli/outcome.h"
#include "cli/submission.h"
#include "config/settings.h"
#include "config/yaml.h"

namespace penstock::cli {
namespace {

constexpr std::size_t kCompositeBytesMax = 4UL * 1024 * 1024;
constexpr std::size_t kRequestIdLength = 32;

struct Packed {
    CompositeSpec spec;
    std::vector<Submission> parts;
};

Result<Packed> pack(const Invocation& invocation, CompositeDraft draft) {
    Packed packed{.spec = std::move(draft.spec), .parts = {}};
    for (TaskSpec& part : packed.spec.parts) {
        packed.parts.push_back(TRY(pack_draft(invocation, {part.name, draft.folder, part})));
        part = packed.parts.back().spec;
    }
    return packed;
}

template <class T>
client::Call post(const std::string& path, const T& body) {
    return {.method = "POST", .path = path, .body = json::print(body)};
}

void show(const Invocation& invocation, const CompositePlan& plan) {
    for (const PartPlan& part : plan.parts) {
        invocation.say("composite.part", part.part);
        show_plan(invocation, part.plan);
    }
    for (const PartTransfer& way : plan.transfers) {
        const std::string size =
            way.bytes ? bytes_text(*way.bytes)
                      : std::string(text(invocation.language, "composite.unknown_size"));
        std::string egress = "-";
        if (way.egress)
            egress = amount_text(to_string(*way.egress)) + " CNY";
        else if (way.egress_per_gb)
            egress = to_string(*way.egress_per_gb) + " CNY/GB";
        invocation.say(
            "composite.transfer", way.from, way.to, way.from_site.empty() ? "-" : way.from_site,
            way.to_site.empty() ? "-" : way.to_site, size, egress
        );
    }
}

io::Task<Result<CompositePlan>> ask_for_plan(Invocation* invocation, const CompositeSpec* spec) {
    client::Client* client = CO_TRY(invocation->client());
    co_return co_await client->connection().call_for<CompositePlan>(
        post("/v1/composites:plan", *spec)
    );
}

io::Task<Result<Consent>> plan_and_ask(Invocation* invocation, const CompositeSpec* spec) {
    const CompositePlan plan = CO_TRY(co_await ask_for_plan(invocation, spec));
    show(*invocation, plan);
    if (!plan.ever)
        co_return fail(
            ErrorCode::resource_exhausted,
            std::string(text(invocation->language, "plan.infeasible"))
        );
    co_return ask_for_consent(*invocation, plan.feasible);
}

io::Task<Result<Composite>> create(Invocation* invocation, const Packed* packed) {
    client::Client* client = CO_TRY(invocation->client());
    for (const Submission& part : packed->parts)
        if (part.archive)
            CO_TRY(co_await client->upload_blob(part.archive->sha256, part.archive->file));
    client::Call call = post("/v1/composites", packed->spec);
    call.idempotency_key = random_text(invocation->random, kRequestIdLength);
    co_return co_await client->connection().call_for<Composite>(std::move(call));
}

}  // namespace

Result<std::optional<CompositeDraft>> read_composite(const Invocation& invocation) {
    std::vector<std::string> files = invocation.arguments.values("file");
    files.insert(
        files.end(), invocation.arguments.operands.begin(), invocation.arguments.operands.end()
    );
    if (files.size() != 1 || files.front() == "-") return std::nullopt;
    const std::filesystem::path path = invocation.surroundings.working_folder / files.front();
    const std::string content = TRY(config::read_file(path, kCompositeBytesMax));
    const Result<yaml::Document> document = yaml::Document::parse(content);
    if (!document || !is_composite(document->value())) return std::nullopt;
    std::expected<CompositeSpec, std::vector<Error>> spec = parse_composite_spec(document->value());
    if (!spec)
        return fail(
            ErrorCode::invalid_argument,
            config::render(config::locate(std::move(spec.error()), files.front(), document->lines())
            )
        );
    return CompositeDraft{path.parent_path(), *std::move(spec)};
}

std::optional<std::vector<Error>> composite_mistakes(
    const std::string& text, const std::string& name
) {
    const Result<yaml::Document> document = yaml::Document::parse(text);
    if (!document || !is_composite(document->value())) return std::nullopt;
    std::expected<CompositeSpec, std::vector<Error>> spec = parse_composite_spec(document->value());
    if (spec) return std::vector<Error>();
    return config::locate(std::move(spec.error()), name, document->lines());
}

io::Task<Result<int>> run_composite(Invocation* invocation, CompositeDraft draft, Follow follow) {
    const Packed packed = CO_TRY(pack(*invocation, std::move(draft)));
    const Consent consent = CO_TRY(co_await plan_and_ask(invocation, &packed.spec));
    if (consent != Consent::given)
        co_return invocation->has("dry-run") ? kExitOk : kExitTaskNotFinished;
    const Composite made = CO_TRY(co_await create(invocation, &packed));
    for (const Task& task : made.tasks) invocation->say("run.created", reference(task));
    if (!follow) {
        json::Array tasks;
        for (const Task& task : made.tasks) tasks.push_back(json::encode(task));
        CO_TRY(invocation->printer.list(task_view(), json::Object{{"tasks", std::move(tasks)}}));
        co_return kExitOk;
    }
    for (const Task& task : made.tasks) {
        const int code = CO_TRY(co_await follow(invocation, task));
        if (code != kExitOk) co_return code;
    }
    co_return kExitOk;
}

io::Task<Result<int>> plan_composite(Invocation* invocation, CompositeDraft draft) {
    const Packed packed = CO_TRY(pack(*invocation, std::move(draft)));
    const CompositePlan plan = CO_TRY(co_await ask_for_plan(invocation, &packed.spec));
    if (invocation->printer.for_people())
        show(*invocation, plan);
    else
        CO_TRY(invocation->printer.object(candidate_view(), json::encode(plan)));
    co_return plan.feasible ? kExitOk : info(ErrorCode::resource_exhausted).exit_code;
}

}  // namespace penstock::cli
